import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { DER_TAGS, type DerValue, readAlgorithm, readInside } from './der.ts';
import { type Decrypted, decryptPemBlock, decryptPkcs8 } from './encrypted-key.ts';
import { wipe } from './envelope.ts';
import { type PemBlock, readPem } from './pem.ts';

/**
 * Why a key is not given: it is none; it is encrypted and there is no passphrase; the passphrase does not
 * open it; its kind or its encryption is not read here.
 */
export type KeyProblem = 'malformed' | 'locked' | 'wrong passphrase' | 'unsupported';

/** RSA, RSA-PSS, EC, X25519, X448, Ed25519, Ed448: others may cost any time to take apart. */
const ALGORITHMS: ReadonlySet<string> = new Set([
  '2a864886f70d010101',
  '2a864886f70d01010a',
  '2a8648ce3d0201',
  '2b656e',
  '2b656f',
  '2b6570',
  '2b6571',
]);

type PrivateForm = 'pkcs8' | 'pkcs1' | 'sec1';
const PRIVATE_LABELS: ReadonlyMap<string, PrivateForm> = new Map([
  ['PRIVATE KEY', 'pkcs8'],
  ['ENCRYPTED PRIVATE KEY', 'pkcs8'],
  ['RSA PRIVATE KEY', 'pkcs1'],
  ['EC PRIVATE KEY', 'sec1'],
]);

/**
 * The private key in PEM or DER: PKCS#8 (RFC 5958) plain or encrypted, PKCS#1 (RFC 8017), SEC 1 (RFC 5915),
 * these two in PEM also encrypted the old way. Borrows its inputs, and wipes what it makes of them; what
 * node:crypto keeps inside the key goes with the key.
 */
export async function openPrivateKey(
  encoded: Uint8Array,
  passphrase: Uint8Array | undefined,
): Promise<KeyObject | KeyProblem> {
  const blocks = readPem(encoded);
  try {
    const block = blocks.find(({ label }) => label.endsWith('PRIVATE KEY'));
    if (block !== undefined) return await openBlock(block, passphrase);
    return blocks.length > 0 ? 'malformed' : await openDer(encoded, passphrase);
  } finally {
    for (const { body } of blocks) wipe(body);
  }
}

async function openBlock(
  block: PemBlock,
  passphrase: Uint8Array | undefined,
): Promise<KeyObject | KeyProblem> {
  const form = PRIVATE_LABELS.get(block.label);
  if (form === undefined) return 'unsupported';
  if (block.headers.get('Proc-Type') !== '4,ENCRYPTED') {
    return form === 'pkcs8' ? await openDer(block.body, passphrase) : importPrivate(block.body, form);
  }
  if (passphrase === undefined) return 'locked';
  return openDecrypted(decryptPemBlock(block, passphrase), form);
}

async function openDer(der: Uint8Array, passphrase: Uint8Array | undefined): Promise<KeyObject | KeyProblem> {
  const values = readInside(der, DER_TAGS.sequence) ?? [];
  const [first, second] = values;
  if (first?.tag === DER_TAGS.sequence && second?.tag === DER_TAGS.octetString) {
    if (passphrase === undefined) return 'locked';
    return openDecrypted(await decryptPkcs8(values, passphrase), 'pkcs8');
  }
  const form = formOf(values);
  return form === undefined ? 'malformed' : importPrivate(der, form);
}

/** Each begins with a version; what follows it tells them apart. */
function formOf([version, second]: readonly DerValue[]): PrivateForm | undefined {
  if (version?.tag !== DER_TAGS.integer) return undefined;
  if (second?.tag === DER_TAGS.sequence) return 'pkcs8';
  if (second?.tag === DER_TAGS.integer) return 'pkcs1';
  return second?.tag === DER_TAGS.octetString ? 'sec1' : undefined;
}

function openDecrypted(decrypted: Decrypted, form: PrivateForm): KeyObject | KeyProblem {
  if (decrypted === 'unsupported') return decrypted;
  if (decrypted === 'wrong') return 'wrong passphrase';
  try {
    const key = importPrivate(decrypted.key, form);
    // One passphrase in some two hundred leaves a right padding behind, and no key.
    return key === 'malformed' ? 'wrong passphrase' : key;
  } finally {
    wipe(decrypted.key);
  }
}

function importPrivate(der: Uint8Array, type: PrivateForm): KeyObject | 'malformed' | 'unsupported' {
  if (type === 'pkcs8') {
    const algorithm = readAlgorithm(readInside(der, DER_TAGS.sequence)?.[1]);
    if (algorithm === undefined) return 'malformed';
    if (!ALGORITHMS.has(algorithm.id)) return 'unsupported';
  }
  try {
    return createPrivateKey({
      key: Buffer.from(der.buffer, der.byteOffset, der.length),
      format: 'der',
      type,
    });
  } catch {
    // What OpenSSL says of it might quote it.
    return 'malformed';
  }
}

/** The public key in PEM or DER: SubjectPublicKeyInfo (RFC 5280) or PKCS#1. */
export function openPublicKey(encoded: Uint8Array): KeyObject | 'malformed' | 'unsupported' {
  const blocks = readPem(encoded);
  const block = blocks.find(({ label }) => label === 'PUBLIC KEY' || label === 'RSA PUBLIC KEY');
  if (blocks.length > 0 && block === undefined) return 'malformed';
  const der = block?.body ?? encoded;
  const [first, second] = readInside(der, DER_TAGS.sequence) ?? [];
  const type = second?.tag === DER_TAGS.bitString ? 'spki' : 'pkcs1';
  if (type === 'spki' && !ALGORITHMS.has(readAlgorithm(first)?.id ?? '')) return 'unsupported';
  try {
    return createPublicKey({ key: Buffer.from(der.buffer, der.byteOffset, der.length), format: 'der', type });
  } catch {
    return 'malformed';
  }
}

/** Whether the public key is the one of the private key. */
export function isPair(privateKey: KeyObject, publicKey: KeyObject): boolean {
  // Comparing kinds that differ leaves an error behind in OpenSSL, which fails whoever reads a key next.
  if (privateKey.asymmetricKeyType !== publicKey.asymmetricKeyType) return false;
  return createPublicKey(privateKey).equals(publicKey);
}
