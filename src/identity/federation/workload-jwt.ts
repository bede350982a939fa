import { compactVerify, errors } from 'jose';
import { CofferError } from '../../errors.ts';
import { parseStrictJson } from '../../http/strict-json.ts';
import { type Algorithm, ALGORITHMS, importKey, type PublicKey } from './key-set.ts';

/** Why a JWT is not accepted: for the log and for `coffer issuer test`, never for who sent it. */
export class JwtRefusal extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'JwtRefusal';
  }
}

/** A JWT taken apart and not yet verified. */
export interface ReadJwt {
  token: string;
  alg: Algorithm;
  kid: string | undefined;
  claims: Readonly<Record<string, unknown>>;
}

/** What an issuer's row asks of a JWT. */
export interface Demands {
  issuer: string;
  audience: string;
  /** Each of them must be there as exactly this text. */
  claims: ReadonlyMap<string, string>;
}

export interface ProvenJwt {
  subject: string;
  /** Seconds since 1970. */
  expires: number;
}

const BYTES_MAX = 8_192;
const COMPACT = /^[A-Za-z0-9_-]{8,2048}\.[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{20,1400}$/;
const SKEW_SECONDS = 30;
const TEXT_MAX = 255;
/** Members of a header that bring a key along, or change what is signed. */
const HEADERS_REFUSED = ['crit', 'b64', 'zip', 'jwk', 'jku', 'x5u', 'x5c'];
const TYPES = ['jwt', 'at+jwt'];

/** @throws JwtRefusal for what is no signed JWT in compact form with an algorithm of our list. */
export function readJwt(token: string): ReadJwt {
  if (token.length > BYTES_MAX || !COMPACT.test(token)) throw new JwtRefusal('it is no JWT of at most 8 KiB');
  const [header = '', payload = '', signature = ''] = token.split('.');
  if (![header, payload, signature].every(isCanonical)) throw new JwtRefusal('it is no base64url');
  const { alg: named, kid, typ, ...others } = parseObject(header);
  const alg = ALGORITHMS.find((name) => name === named);
  if (alg === undefined) throw new JwtRefusal(`its algorithm is none of ${ALGORITHMS.join(', ')}`);
  if (kid !== undefined && !isText(kid)) throw new JwtRefusal('its kid is no text');
  if (typ !== undefined && !(isText(typ) && TYPES.includes(typ.toLowerCase()))) {
    throw new JwtRefusal('its type is not JWT');
  }
  const refused = HEADERS_REFUSED.find((name) => Object.hasOwn(others, name));
  if (refused !== undefined) throw new JwtRefusal(`its header has ${refused}`);
  return { token, alg, kid, claims: parseObject(payload) };
}

/** Everything but the signature. @throws JwtRefusal */
export function requireClaims({ claims }: ReadJwt, demands: Demands, now: Date): ProvenJwt {
  const { iss, aud, sub, exp, iat, nbf } = claims;
  const seconds = now.getTime() / 1000;
  if (iss !== demands.issuer) throw new JwtRefusal('iss is another issuer');
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.every(isText) || !audiences.includes(demands.audience)) {
    throw new JwtRefusal('aud does not name the audience');
  }
  if (!isText(sub)) throw new JwtRefusal(`sub is no text of 1 to ${TEXT_MAX} characters`);
  if (!isTime(exp) || exp <= seconds) throw new JwtRefusal('exp is missing or past');
  if (!isTime(iat) || iat > seconds + SKEW_SECONDS) throw new JwtRefusal('iat is missing or in the future');
  if (nbf !== undefined && !(isTime(nbf) && nbf <= seconds + SKEW_SECONDS)) {
    throw new JwtRefusal('nbf is in the future');
  }
  if (demands.claims.size === 0) throw new JwtRefusal('the issuer demands no claim');
  for (const [name, value] of demands.claims) {
    if (!Object.hasOwn(claims, name)) throw new JwtRefusal(`the claim ${name} is missing`);
    if (claims[name] !== value) throw new JwtRefusal(`the claim ${name} has another value`);
  }
  return { subject: sub, expires: Math.floor(exp) };
}

/** Whether one of the keys made the signature. @throws JwtRefusal when none did. */
export async function requireSignature({ token, alg }: ReadJwt, keys: readonly PublicKey[]): Promise<void> {
  if (keys.length === 0) throw new JwtRefusal('the key set has no such key for its algorithm');
  for (const key of keys) {
    try {
      await compactVerify(token, await importKey(key, alg), { algorithms: [alg] });
      return;
    } catch (error) {
      // A key that cannot be imported is as good as none; anything of ours is a defect.
      if (
        !(error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException)
      ) {
        throw error;
      }
    }
  }
  throw new JwtRefusal('its signature is not of a key of the set');
}

function parseObject(part: string): Record<string, unknown> {
  const bytes = Buffer.from(part, 'base64url');
  let value: unknown;
  try {
    value = parseStrictJson(bytes);
  } catch (error) {
    if (!(error instanceof CofferError)) throw error;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new JwtRefusal('a part of it is no JSON object');
  }
  return value as Record<string, unknown>;
}

/** The last character may carry bits that no byte has: of its spellings only one is taken. */
function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= TEXT_MAX;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}
