import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export type Kind = 'rsa' | 'ec' | 'ed25519';

export interface Pair {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

export function makePair(kind: Kind): Pair {
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (kind === 'ec') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return generateKeyPairSync('ed25519');
}

/** DER of one value. */
export function der(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const digits = body.length.toString(16);
  const length = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}
const sequence = (...content: Uint8Array[]): Buffer => der(0x30, ...content);
const identifier = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));

const RSA_SIGNATURE = { algorithm: sequence(identifier('2a864886f70d01010b'), der(0x05)), digest: 'sha256' };
const SIGNATURES: Readonly<Record<string, { algorithm: Buffer; digest: string | null }>> = {
  ec: { algorithm: sequence(identifier('2a8648ce3d040302')), digest: 'sha256' },
  ed25519: { algorithm: sequence(identifier('2b6570')), digest: null },
};

const nameOf = (name: string): Buffer =>
  sequence(der(0x31, sequence(identifier('550403'), der(0x0c, Buffer.from(name)))));
const timeOf = (text: string): Buffer => der(0x18, Buffer.from(text));

/** A certificate (RFC 5280) of a public key, signed by another: just what a chain needs. */
export function makeCertificate(
  subject: { name: string; publicKey: KeyObject },
  issuer: { name: string; privateKey: KeyObject },
): Buffer {
  const { algorithm, digest } = SIGNATURES[issuer.privateKey.asymmetricKeyType ?? ''] ?? RSA_SIGNATURE;
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    algorithm,
    nameOf(issuer.name),
    sequence(timeOf('20200101000000Z'), timeOf('21000101000000Z')),
    nameOf(subject.name),
    subject.publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa3, sequence(basicConstraints())),
  );
  const signature = sign(digest, body, issuer.privateKey);
  return sequence(body, algorithm, der(0x03, Buffer.from([0]), signature));
}

function basicConstraints(): Buffer {
  const authority = sequence(der(0x01, Buffer.from([0xff])));
  return sequence(identifier('551d13'), der(0x01, Buffer.from([0xff])), der(0x04, authority));
}

export function pem(label: string, body: Uint8Array): string {
  const lines =
    Buffer.from(body)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

export const certificatePem = (body: Uint8Array): string => pem('CERTIFICATE', body);

/** The certificates as a degenerate SignedData of PKCS#7 (RFC 5652). */
export function makePkcs7(...certificates: Uint8Array[]): Buffer {
  const data = sequence(identifier('2a864886f70d010701'));
  const version = der(0x02, Buffer.from([1]));
  const signed = sequence(version, der(0x31), data, der(0xa0, ...certificates), der(0x31));
  return sequence(identifier('2a864886f70d010702'), der(0xa0, signed));
}

const OLD_FORMS: Readonly<Record<Kind, 'pkcs1' | 'sec1' | undefined>> = {
  rsa: 'pkcs1',
  ec: 'sec1',
  ed25519: undefined,
};

/** Every form in which a private key is written; the passphrase is `open sesame`. */
export function formsOf(
  { privateKey }: Pair,
  kind: Kind,
): [name: string, form: Buffer, isEncrypted: boolean][] {
  const passphrase = 'open sesame';
  const forms: [string, Buffer, boolean][] = [];
  const add = (name: string, isEncrypted: boolean, options: object): void => {
    const exported: string | Buffer = privateKey.export({ format: 'pem', type: 'pkcs8', ...options });
    forms.push([name, Buffer.from(exported), isEncrypted]);
  };
  add('PKCS#8 in PEM', false, {});
  add('PKCS#8 in DER', false, { format: 'der' });
  for (const cipher of ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des-ede3-cbc']) {
    for (const format of ['pem', 'der']) {
      add(`PKCS#8 under ${cipher} in ${format}`, true, { format, cipher, passphrase });
    }
  }
  const type = OLD_FORMS[kind];
  if (type === undefined) return forms;
  add(`${type} in PEM`, false, { type });
  add(`${type} in DER`, false, { type, format: 'der' });
  for (const cipher of ['aes-128-cbc', 'aes-256-cbc', 'des-ede3-cbc']) {
    add(`${type} under ${cipher}`, true, { type, cipher, passphrase });
  }
  return forms;
}

/** An encrypted PKCS#8 of 2,048 iterations whose head says another number, of as many bytes. */
export function withIterations(encrypted: Buffer, iterations: number): Buffer {
  const at = encrypted.indexOf(Buffer.from('02020800', 'hex'));
  if (at < 0) throw new Error('no 2,048 iterations');
  const digits = Buffer.alloc(2);
  digits.writeUInt16BE(iterations);
  return Buffer.concat([encrypted.subarray(0, at + 2), digits, encrypted.subarray(at + 4)]);
}
