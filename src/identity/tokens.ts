import { randomUUID } from 'node:crypto';
import { createSigner, createVerifier } from 'fast-jwt';
import { CofferError } from '../errors.ts';

/** What a token says: ids and times, never roles. */
export interface TokenClaims {
  iss: string;
  aud: string;
  /** The user's id. */
  sub: string;
  /** The project that it is scoped to. */
  prj?: string;
  jti: string;
  /** Seconds since 1970. */
  iat: number;
  exp: number;
  methods: string[];
  audit_ids: string[];
}

export interface TokenKey {
  id: string;
  publicKeyPem: Buffer;
  notBefore: Date;
  notAfter: Date;
}

export interface SigningKey extends TokenKey {
  privateKeyPem: Buffer;
}

const TOKEN_BYTES_MAX = 4_096;
const AUDIENCE = 'coffer';
/** RFC 7515 §7.1, compact form: three parts of base64url without padding. */
const COMPACT = /^[A-Za-z0-9_-]{16,1024}\.[A-Za-z0-9_-]{16,3500}\.[A-Za-z0-9_-]{86}$/;
const CACHE_MAX = 10_000;

/** Signs a token with EdDSA (RFC 8037). */
export function signToken(
  key: SigningKey,
  issuer: string,
  claims: Omit<TokenClaims, 'iss' | 'aud' | 'jti'>,
): { token: string; claims: TokenClaims } {
  const complete: TokenClaims = { iss: issuer, aud: AUDIENCE, jti: randomUUID(), ...claims };
  const sign = createSigner({ algorithm: 'EdDSA', key: key.privateKeyPem, kid: key.id });
  return { token: sign({ ...complete }), claims: complete };
}

export interface TokenVerifier {
  /** @throws CofferError `unauthorized` for any token that is not one of ours, whole and in its time. */
  verify(token: string, now: Date): TokenClaims;
}

interface Verified {
  claims: TokenClaims;
  key: TokenKey;
}

/**
 * Verifies signatures once for each exact token and keeps the claims; times are looked at each time. `findKey` gives
 * only keys of our own, by the `kid` of the header; no other field of a header is looked at.
 */
export function createTokenVerifier(
  issuer: string,
  findKey: (id: string) => TokenKey | undefined,
): TokenVerifier {
  const cache = new Map<string, Verified>();
  return {
    verify: (token, now) => {
      let verified = cache.get(token);
      if (verified === undefined) {
        verified = verifySignature(token, issuer, findKey);
        const oldest = cache.keys().next().value;
        if (cache.size >= CACHE_MAX && oldest !== undefined) cache.delete(oldest);
        cache.set(token, verified);
      }
      const { claims, key } = verified;
      const seconds = now.getTime() / 1000;
      const isInTime = claims.exp > seconds && claims.iat <= seconds + 30;
      if (!isInTime || key.notAfter <= now || findKey(key.id) === undefined) {
        cache.delete(token);
        throw refused();
      }
      return claims;
    },
  };
}

function verifySignature(
  token: string,
  issuer: string,
  findKey: (id: string) => TokenKey | undefined,
): Verified {
  if (token.length > TOKEN_BYTES_MAX || !COMPACT.test(token)) throw refused();
  const key = findKey(readKeyId(token));
  if (key === undefined) throw refused();
  try {
    const verify = createVerifier({ key: key.publicKeyPem, algorithms: ['EdDSA'], ignoreExpiration: true });
    const claims: unknown = verify(token);
    return { claims: requireClaims(claims as Record<string, unknown>, issuer), key };
  } catch {
    throw refused();
  }
}

/** The header must be exactly the one that we write: no `jwk`, `jku`, `x5u`, `crit` or anything else is accepted. */
function readKeyId(token: string): string {
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString('utf8'));
  } catch {
    throw refused();
  }
  if (typeof header !== 'object' || header === null) throw refused();
  const { alg, typ, kid, ...others } = header as Record<string, unknown>;
  const isOurs = alg === 'EdDSA' && (typ === undefined || typ === 'JWT') && typeof kid === 'string';
  if (!isOurs || Object.keys(others).length > 0) throw refused();
  return kid;
}

function requireClaims(claims: Record<string, unknown>, issuer: string): TokenClaims {
  const { iss, aud, sub, prj, jti, iat, exp, methods, audit_ids, ...others } = claims;
  const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
  const isList = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isText);
  const isWhole =
    iss === issuer &&
    aud === AUDIENCE &&
    isText(sub) &&
    (prj === undefined || isText(prj)) &&
    isText(jti) &&
    Number.isSafeInteger(iat) &&
    Number.isSafeInteger(exp) &&
    isList(methods) &&
    isList(audit_ids) &&
    Object.keys(others).length === 0;
  if (!isWhole) throw refused();
  return claims as unknown as TokenClaims;
}

function refused(): CofferError {
  return new CofferError('unauthorized', 'The request you have made requires authentication.');
}
