import { createDecipheriv, createHash, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { DER_TAGS, type DerValue, readAlgorithm, readDer, readSmallInteger } from './der.ts';
import { wipe } from './envelope.ts';
import type { PemBlock } from './pem.ts';

/** `wrong` is a passphrase that does not open it; `unsupported` a way of encrypting that is not read here. */
export type Decrypted = { key: Uint8Array } | 'wrong' | 'unsupported';

/** About a third of a second of one core. More is as good as not readable: it could be any number. */
const ITERATIONS_MAX = 1_000_000;

const PBES2 = '2a864886f70d01050d';
const PBKDF2 = '2a864886f70d01050c';
const HMAC_SHA1 = '2a864886f70d0207';
const DIGESTS: ReadonlyMap<string, string> = new Map([
  [HMAC_SHA1, 'sha1'],
  ['2a864886f70d0208', 'sha224'],
  ['2a864886f70d0209', 'sha256'],
  ['2a864886f70d020a', 'sha384'],
  ['2a864886f70d020b', 'sha512'],
]);

interface Cipher {
  name: string;
  keyBytes: number;
  ivBytes: number;
}
const CIPHERS: readonly (Cipher & { id: string })[] = [
  { id: '60864801650304012a', name: 'aes-256-cbc', keyBytes: 32, ivBytes: 16 },
  { id: '608648016503040116', name: 'aes-192-cbc', keyBytes: 24, ivBytes: 16 },
  { id: '608648016503040102', name: 'aes-128-cbc', keyBytes: 16, ivBytes: 16 },
  { id: '2a864886f70d0307', name: 'des-ede3-cbc', keyBytes: 24, ivBytes: 8 },
];

const derive = promisify(pbkdf2);

/**
 * Decrypts the content of an EncryptedPrivateKeyInfo (RFC 5958 §3) of PBES2 with PBKDF2 (RFC 8018), off the
 * event loop. The caller wipes the key.
 */
export async function decryptPkcs8(
  [algorithm, encrypted]: readonly DerValue[],
  passphrase: Uint8Array,
): Promise<Decrypted> {
  const scheme = readAlgorithm(algorithm);
  if (scheme?.id !== PBES2 || encrypted?.tag !== DER_TAGS.octetString) return 'unsupported';
  const [kdf, encryption] = readDer(scheme.parameters?.content ?? new Uint8Array()) ?? [];
  const derivation = readDerivation(kdf);
  const { id, parameters: iv } = readAlgorithm(encryption) ?? {};
  const cipher = CIPHERS.find((known) => known.id === id);
  if (derivation === undefined || cipher === undefined || iv?.content.length !== cipher.ivBytes) {
    return 'unsupported';
  }
  const { salt, iterations, digest } = derivation;
  const key = await derive(passphrase, salt, iterations, cipher.keyBytes, digest);
  try {
    return decrypt(cipher, key, iv.content, encrypted.content);
  } finally {
    wipe(key);
  }
}

function readDerivation(
  kdf: DerValue | undefined,
): { salt: Uint8Array; iterations: number; digest: string } | undefined {
  const { id, parameters } = readAlgorithm(kdf) ?? {};
  const [salt, count, ...options] = readDer(parameters?.content ?? new Uint8Array()) ?? [];
  const iterations = readSmallInteger(count);
  const prf = options.find(({ tag }) => tag === DER_TAGS.sequence);
  const digest = DIGESTS.get(prf === undefined ? HMAC_SHA1 : (readAlgorithm(prf)?.id ?? ''));
  if (id !== PBKDF2 || salt?.tag !== DER_TAGS.octetString || digest === undefined) return undefined;
  if (iterations === undefined || iterations < 1 || iterations > ITERATIONS_MAX) return undefined;
  return { salt: salt.content, iterations, digest };
}

/** Decrypts a PEM block encrypted as OpenSSL did before PKCS#8 (RFC 1421 headers, EVP_BytesToKey of MD5). */
export function decryptPemBlock({ headers, body }: PemBlock, passphrase: Uint8Array): Decrypted {
  const [name = '', digits = ''] = (headers.get('DEK-Info') ?? '').split(',');
  const cipher = CIPHERS.find((known) => known.name === name.trim().toLowerCase());
  const iv = Buffer.from(digits.trim(), 'hex');
  if (cipher === undefined || iv.length !== cipher.ivBytes) return 'unsupported';
  const salt = iv.subarray(0, 8);
  const material = Buffer.alloc(48);
  for (let offset = 0; offset < material.length; offset += 16) {
    const hash = createHash('md5').update(material.subarray(Math.max(0, offset - 16), offset));
    material.set(hash.update(passphrase).update(salt).digest(), offset);
  }
  try {
    return decrypt(cipher, material.subarray(0, cipher.keyBytes), iv, body);
  } finally {
    wipe(material);
  }
}

function decrypt({ name }: Cipher, key: Uint8Array, iv: Uint8Array, encrypted: Uint8Array): Decrypted {
  try {
    const decipher = createDecipheriv(name, key, iv);
    const start = decipher.update(encrypted);
    const whole = Buffer.concat([start, decipher.final()]);
    start.fill(0);
    return { key: whole };
  } catch {
    // The padding is wrong: another key.
    return 'wrong';
  }
}
