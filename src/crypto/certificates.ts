import { type KeyObject, X509Certificate } from 'node:crypto';
import { DER_TAGS, readDer, readInside } from './der.ts';
import { readPem } from './pem.ts';

/** In the order given. Undefined when there is anything but certificates, or none. */
export function readCertificates(encoded: Uint8Array): X509Certificate[] | undefined {
  const blocks = readPem(encoded);
  const parts = blocks.length === 0 ? readDerCertificates(encoded) : blocks.flatMap(certificatesIn);
  if (parts === undefined || parts.length === 0) return undefined;
  try {
    return parts.map((der) => {
      if (der === undefined) throw new Error('another kind of block');
      return new X509Certificate(der);
    });
  } catch {
    return undefined;
  }
}

const CERTIFICATE_LABELS: readonly string[] = ['CERTIFICATE', 'X509 CERTIFICATE'];
const SIGNED_DATA = '2a864886f70d010702';

function certificatesIn({ label, body }: { label: string; body: Uint8Array }): (Uint8Array | undefined)[] {
  if (CERTIFICATE_LABELS.includes(label)) return [body];
  return label === 'PKCS7' ? (readDerCertificates(body) ?? [undefined]) : [undefined];
}

/** Certificates one after another, or the SignedData of PKCS#7 that holds them (RFC 5652 §5.1). */
function readDerCertificates(der: Uint8Array): Uint8Array[] | undefined {
  const [type, content] = readInside(der, DER_TAGS.sequence) ?? [];
  const isSignedData =
    type?.tag === DER_TAGS.objectIdentifier && Buffer.from(type.content).toString('hex') === SIGNED_DATA;
  if (!isSignedData) return readDer(der)?.map(({ whole }) => whole);
  const fields = readInside(content?.content ?? new Uint8Array(), DER_TAGS.sequence) ?? [];
  const certificates = fields.find(({ tag }) => tag === DER_TAGS.context0);
  return readDer(certificates?.content ?? new Uint8Array())?.map(({ whole }) => whole);
}

/**
 * Whether each of the others issued the first certificate or another one on the way up from it, in whatever
 * order they are given. Dates, purposes and trust are not looked at.
 */
export async function isChain(first: X509Certificate, others: readonly X509Certificate[]): Promise<boolean> {
  const waiting = new Set(others);
  const reached = [first];
  for (const child of reached) {
    for (const candidate of waiting) {
      if (!hasIssued(candidate, child)) continue;
      waiting.delete(candidate);
      reached.push(candidate);
    }
    // Others have their turn between.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return waiting.size === 0;
}

function hasIssued(issuer: X509Certificate, child: X509Certificate): boolean {
  try {
    return child.checkIssued(issuer) && child.verify(issuer.publicKey);
  } catch {
    // A key of a kind that OpenSSL does not know.
    return false;
  }
}

const RSA_BITS_MAX = 8_192;
const RSA_EXPONENT_MAX = 2n ** 32n;
const SLOW_KINDS: readonly (string | undefined)[] = ['dsa', 'dh', undefined];

/** Whether its signatures are verified in a millisecond or so; false too for a key that is not known here. */
export function isQuickKey(certificate: X509Certificate): boolean {
  let key: KeyObject;
  try {
    key = certificate.publicKey;
  } catch {
    return false;
  }
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (SLOW_KINDS.includes(key.asymmetricKeyType)) return false;
  return modulusLength <= RSA_BITS_MAX && publicExponent <= RSA_EXPONENT_MAX;
}
