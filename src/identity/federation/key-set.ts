import { importJWK, type CryptoKey } from 'jose';
import { CofferError } from '../../errors.ts';
import { parseStrictJson } from '../../http/strict-json.ts';
import { KeySetProblem } from './key-set-fetch.ts';

/** The algorithms of a JWT that is exchanged: asymmetric ones, from a closed list. */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'EdDSA',
] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** A public key of an issuer: what it is, and nothing else of what its set says. */
export interface PublicKey {
  kid: string | undefined;
  /** The one algorithm that its set allows it for. */
  alg: string | undefined;
  /** The members that make the key, and no other. */
  jwk: Readonly<Record<string, string>>;
}

const KEYS_MAX = 100;
const RSA_BITS_MIN = 2_048;
const RSA_BITS_MAX = 8_192;
const EXPONENT_BYTES_MAX = 4;

/**
 * The keys of a JWK set (RFC 7517) that can verify a JWT. What is weak, unknown or for encryption is left
 * out.
 *
 * @throws KeySetProblem when there is none, or it is no key set.
 */
export function parseKeySet(bytes: Uint8Array): readonly PublicKey[] {
  const { keys } = parseObject(bytes);
  if (!Array.isArray(keys)) throw new KeySetProblem('it is no JSON Web Key Set');
  if (keys.length > KEYS_MAX) throw new KeySetProblem(`it has more than ${KEYS_MAX} keys`);
  const usable = keys.flatMap((key: unknown) => readKey(key) ?? []);
  if (usable.length === 0) throw new KeySetProblem('it has no key that may verify a token');
  return usable;
}

/** A key set as a row keeps it: the public members of the usable keys. */
export function formatKeySet(keys: readonly PublicKey[]): Buffer {
  return Buffer.from(JSON.stringify({ keys: keys.map(({ kid, alg, jwk }) => ({ kid, alg, ...jwk })) }));
}

/** The keys that may have made a signature: by their id, and by what the algorithm asks of a key. */
export function candidatesOf(
  keys: readonly PublicKey[],
  kid: string | undefined,
  alg: Algorithm,
): readonly PublicKey[] {
  const fitting = keys.filter((key) => fits(key, alg));
  if (kid !== undefined) return fitting.filter((key) => key.kid === kid);
  // Without an id only a key that cannot be mistaken for another will do.
  return fitting.length === 1 ? fitting : [];
}

export async function importKey({ jwk }: PublicKey, alg: Algorithm): Promise<CryptoKey | Uint8Array> {
  return await importJWK({ ...jwk }, alg);
}

function fits({ alg: only, jwk }: PublicKey, alg: Algorithm): boolean {
  if (only !== undefined && only !== alg && !(alg === 'EdDSA' && only === 'Ed25519')) return false;
  if (alg === 'EdDSA') return jwk.crv === 'Ed25519';
  if (alg === 'ES256') return jwk.crv === 'P-256';
  if (alg === 'ES384') return jwk.crv === 'P-384';
  return jwk.kty === 'RSA';
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseStrictJson(bytes);
  } catch (error) {
    if (!(error instanceof CofferError)) throw error;
  }
  if (typeof value !== 'object' || value === null) throw new KeySetProblem('it is no JSON Web Key Set');
  return value as Record<string, unknown>;
}

function readKey(value: unknown): PublicKey | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const key = value as Record<string, unknown>;
  if ('d' in key || 'k' in key) {
    throw new KeySetProblem('it has a private or a secret key: whoever reads it could sign');
  }
  const { kid, alg, use, key_ops: operations } = key;
  const isForSignatures =
    (use === undefined || use === 'sig') &&
    (operations === undefined || (Array.isArray(operations) && operations.includes('verify')));
  const isNamed = isTextOrMissing(kid) && isTextOrMissing(alg);
  const jwk = readPublicMembers(key);
  if (!isForSignatures || !isNamed || jwk === undefined) return undefined;
  return { kid, alg, jwk };
}

function readPublicMembers({ kty, crv, n, e, x, y }: Record<string, unknown>): PublicKey['jwk'] | undefined {
  const isText = (member: unknown): member is string =>
    typeof member === 'string' && /^[A-Za-z0-9_-]{1,2000}$/.test(member);
  if (kty === 'RSA' && isText(n) && isText(e)) {
    const bits = bitsOf(Buffer.from(n, 'base64url'));
    const isSound = bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
    return isSound && Buffer.from(e, 'base64url').length <= EXPONENT_BYTES_MAX ? { kty, n, e } : undefined;
  }
  if (kty === 'EC' && (crv === 'P-256' || crv === 'P-384') && isText(x) && isText(y))
    return { kty, crv, x, y };
  if (kty === 'OKP' && crv === 'Ed25519' && isText(x)) return { kty, crv, x };
  return undefined;
}

function bitsOf(number: Uint8Array): number {
  const first = number.findIndex((byte) => byte !== 0);
  return first === -1 ? 0 : (number.length - first) * 8 - Math.clz32(number[first] ?? 0) + 24;
}

function isTextOrMissing(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && value !== '');
}
