import { randomBytes } from 'node:crypto';
import { CofferError } from '../errors.ts';
import { authenticationRequired } from '../http/errors.ts';
import { AUDIENCE, parseObject, readClaims, type TokenClaims } from './claims.ts';
import type { Jwt } from './jwt.ts';

export interface SigningKey {
  id: string;
  jwt: Jwt;
  publicKeyPem: string;
  notBefore: Date;
  notAfter: Date;
}

export interface Tokens {
  sign(
    key: SigningKey,
    claims: Omit<TokenClaims, 'iss' | 'aud' | 'jti' | 'audit_ids'>,
    parent?: TokenClaims,
  ): SignedToken;
  /**
   * With `expiredSecondsMax` its end may be that long ago.
   *
   * @throws CofferError `unauthorized` for any token that is not one of ours, whole and in its time.
   */
  verify(token: string, now: Date, expiredSecondsMax?: number): TokenClaims;
  /** The key that it names. @throws CofferError `unauthorized` for what is not of our form. */
  keyIdOf(token: string): string;
}

export interface SignedToken {
  token: string;
  claims: TokenClaims;
}

/** The longest life of a token, whatever the settings of the server that gives it. */
export const TTL_SECONDS_MAX = 8 * 3_600;
const TOKEN_BYTES_MAX = 4_096;
/**
 * RFC 7515 §7.1, compact form: three parts of base64url without padding; an Ed25519 signature has 64 bytes.
 */
const COMPACT = /^([A-Za-z0-9_-]{16,1024})\.([A-Za-z0-9_-]{16,3800})\.([A-Za-z0-9_-]{86})$/;
const CACHE_MAX = 10_000;
const CLOCK_SKEW_SECONDS = 30;
const ID_BYTES = 16;

/**
 * EdDSA tokens (RFC 8037) of one issuer. Signatures are verified once for each exact token and the claims
 * kept; times and the key's presence are looked at each time. `findKey` gives keys of our own alone, by their
 * id.
 */
export function createTokens(
  issuer: string,
  findKey: (id: string) => SigningKey | undefined,
  cacheMax = CACHE_MAX,
): Tokens {
  const verified = new Map<string, { claims: TokenClaims; keyId: string }>();

  const verifySignature = (token: string): { claims: TokenClaims; keyId: string } => {
    const [, header = '', payload = '', signature = ''] = splitCompact(token);
    const key = findKey(readKeyId(header));
    if (key === undefined || !isCanonical(signature)) throw refused();
    try {
      key.jwt.verify(token);
    } catch {
      throw refused();
    }
    return { claims: readClaims(payload, issuer), keyId: key.id };
  };

  return {
    keyIdOf: (token) => {
      const [, header = ''] = splitCompact(token);
      return readKeyId(header);
    },
    sign: (key, rest, parent) => {
      const jti = randomBytes(ID_BYTES).toString('base64url');
      const first = parent?.audit_ids.at(-1);
      const { sub, iat, ms, exp, methods, ...scope } = rest;
      const claims: TokenClaims = {
        iss: issuer,
        aud: AUDIENCE,
        sub,
        ...scope,
        jti,
        iat,
        ms,
        exp: Math.min(exp, Math.floor(key.notAfter.getTime() / 1000)),
        methods,
        audit_ids: first === undefined ? [jti] : [jti, first],
      };
      const token = key.jwt.sign({ ...claims });
      if (token.length > TOKEN_BYTES_MAX) throw new Error('a token is longer than it may be');
      return { token, claims };
    },
    verify: (token, now, expiredSecondsMax = 0) => {
      const known = verified.get(token) ?? verifySignature(token);
      const { claims, keyId } = known;
      const seconds = now.getTime() / 1000;
      const key = findKey(keyId);
      const isInTime = claims.exp + expiredSecondsMax > seconds && claims.iat <= seconds + CLOCK_SKEW_SECONDS;
      if (!isInTime || key === undefined || key.notAfter <= now) {
        verified.delete(token);
        throw refused();
      }
      if (!verified.has(token)) keep(verified, cacheMax, token, known);
      return claims;
    },
  };
}

function keep<T>(cache: Map<string, T>, entriesMax: number, token: string, value: T): void {
  const oldest = cache.keys().next().value;
  if (cache.size >= entriesMax && oldest !== undefined) cache.delete(oldest);
  cache.set(token, value);
}

function splitCompact(token: string): readonly string[] {
  const parts = token.length > TOKEN_BYTES_MAX ? null : COMPACT.exec(token);
  if (parts === null) throw refused();
  return parts;
}

/** 86 characters carry four bits more than 64 bytes: only one of the sixteen spellings is the token. */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

/**
 * A header is byte for byte the one that we write for a key: `jwk`, `jku`, `x5u`, `crit` and all else fail
 * here.
 */
function readKeyId(header: string): string {
  const fields = parseObject(header);
  const { kid } = fields;
  if (typeof kid !== 'string') throw refused();
  const ours = JSON.stringify({ alg: 'EdDSA', typ: 'JWT', kid });
  if (header !== Buffer.from(ours, 'utf8').toString('base64url')) throw refused();
  return kid;
}

function refused(): CofferError {
  return new CofferError('unauthorized', authenticationRequired);
}
