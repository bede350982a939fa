import { CofferError } from '../errors.ts';
import { authenticationRequired } from '../http/errors.ts';
import type { TokenScope } from './rights.ts';

export const AUDIENCE = 'coffer';

/** What a token says: ids and times, never roles. */
export interface TokenClaims {
  iss: string;
  aud: string;
  /** The user's id. */
  sub: string;
  /** The project that it is scoped to. Of `prj`, `dom` and `sys` there is one, or none: unscoped. */
  prj?: string;
  /** The domain. */
  dom?: string;
  /** The system. */
  sys?: true;
  /** The application credential that it came of; its scope is a project. */
  app?: string;
  /** The issuer of the JWT that it was exchanged for; its scope is a project, or it has none. */
  iss_id?: string;
  /** Who its bearer was there. */
  iss_sub?: string;
  jti: string;
  /** Seconds since 1970. */
  iat: number;
  /** The milliseconds of `iat`: what ends all tokens of a moment is finer than a second. */
  ms: number;
  exp: number;
  methods: string[];
  /** The token's own, and for one that came of another that of the first. */
  audit_ids: string[];
}

/** When it was given, in milliseconds since 1970. */
export function issuedAt({ iat, ms }: TokenClaims): number {
  return iat * 1000 + ms;
}

/** What the first token of a line came of: every later one keeps it, and no more right than it leaves. */
export type TokenOrigin = Pick<TokenClaims, 'app' | 'iss_id' | 'iss_sub'>;

export function originOf({ app, iss_id, iss_sub }: TokenClaims): TokenOrigin {
  return {
    ...(app === undefined ? {} : { app }),
    ...(iss_id === undefined || iss_sub === undefined ? {} : { iss_id, iss_sub }),
  };
}

/** What a token is scoped to. */
export function scopeOf({ prj, dom, sys }: TokenClaims): TokenScope {
  if (prj !== undefined) return { kind: 'project', id: prj };
  if (dom !== undefined) return { kind: 'domain', id: dom };
  return { kind: sys === true ? 'system' : 'unscoped' };
}

/** The claims that say so. */
export function scopeClaims(scope: TokenScope): Pick<TokenClaims, 'prj' | 'dom' | 'sys'> {
  if (scope.kind === 'project') return { prj: scope.id };
  if (scope.kind === 'domain') return { dom: scope.id };
  return scope.kind === 'system' ? { sys: true } : {};
}

/** @throws CofferError `unauthorized` for a payload with a claim that is missing, wrong, or one too many. */
export function readClaims(payload: string, issuer: string): TokenClaims {
  const fields = parseObject(payload);
  // Written back they are the same: no name twice, no blanks, no second spelling of a text.
  const isCompact = Buffer.from(JSON.stringify(fields), 'utf8').toString('base64url') === payload;
  const { iss, aud, sub, prj: _p, dom: _d, sys: _s, app: _a, iss_id: _i, iss_sub: _n, ...rest } = fields;
  const { jti, iat, ms, exp, methods, audit_ids: auditIds, ...others } = rest;
  const isWhole =
    isCompact &&
    iss === issuer &&
    aud === AUDIENCE &&
    isText(sub) &&
    isOneScope(fields) &&
    isOneOrigin(fields) &&
    isText(jti) &&
    isTime(iat) &&
    Number.isInteger(ms) &&
    (ms as number) >= 0 &&
    (ms as number) < 1000 &&
    isTime(exp) &&
    isTextList(methods) &&
    isTextList(auditIds) &&
    (auditIds as string[])[0] === jti &&
    Object.keys(others).length === 0;
  if (!isWhole) throw refused();
  return fields as unknown as TokenClaims;
}

function isOneScope(fields: Record<string, unknown>): boolean {
  const has = (name: string): boolean => Object.hasOwn(fields, name);
  return (
    ['prj', 'dom', 'sys'].filter(has).length <= 1 &&
    ['prj', 'dom', 'app'].every((name) => !has(name) || isText(fields[name])) &&
    (!has('sys') || fields['sys'] === true) &&
    (!has('app') || has('prj'))
  );
}

function isOneOrigin(fields: Record<string, unknown>): boolean {
  const has = (name: string): boolean => Object.hasOwn(fields, name);
  if (!has('iss_id') && !has('iss_sub')) return true;
  return (
    isText(fields['iss_id']) && isText(fields['iss_sub']) && !['dom', 'sys', 'app'].some((name) => has(name))
  );
}

/** A part of a token as the JSON object that it must be. @throws CofferError `unauthorized`. */
export function parseObject(part: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch {
    throw refused();
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused();
  return value as Record<string, unknown>;
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isTime = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;
const isTextList = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(isText);

function refused(): CofferError {
  return new CofferError('unauthorized', authenticationRequired);
}
