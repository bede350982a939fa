import { checkAddress } from './address.ts';
import { CofferError } from './coffer-error.ts';
import type { Credentials } from './credentials.ts';
import { isFinalToken, tokenRequest } from './token-request.ts';
import { type Answer, send, type TransportOptions } from './transport.ts';

/** A token in force, and where it is good for. */
export interface Login {
  token: string;
  /** The base address of the key manager, without `/v1`. */
  url: string;
  /** On this machine's clock, in milliseconds; Infinity when unknown. */
  expiresAt: number;
  refreshAt: number;
  userName: string | undefined;
  projectId: string | undefined;
  projectName: string | undefined;
}

interface CatalogEntry {
  type?: string;
  endpoints?: { interface?: string; region?: string; region_id?: string; url?: string }[];
}

interface TokenBody {
  issued_at?: string;
  expires_at?: string;
  user?: { name?: string };
  project?: { id?: string; name?: string };
  catalog?: CatalogEntry[];
}

function parseToken(answer: Answer): TokenBody {
  try {
    const body = JSON.parse(new TextDecoder().decode(answer.bytes)) as { token?: TokenBody };
    if (typeof body.token === 'object' && body.token !== null) return body.token;
  } catch {
    // falls through to the same error
  }
  throw new CofferError('protocol', 'the identity service answered with something that is no token', {
    status: answer.status,
  });
}

/** What `X-Auth-Token` may hold; anything else would make `fetch` print it in its own error. */
function checkToken(token: string | null): string {
  if (token !== null && /^[\x21-\x7e]{1,8192}$/.test(token)) return token;
  throw new CofferError('configuration', 'the token holds characters that no token has, or none at all');
}

/** The public endpoint of the key manager, in the wanted region or in the first. */
function findEndpoint(catalog: readonly CatalogEntry[], region: string | undefined): string {
  const offered = catalog
    .filter((entry) => entry.type === 'key-manager')
    .flatMap((entry) => entry.endpoints ?? [])
    .filter((endpoint) => endpoint.interface === 'public' && typeof endpoint.url === 'string');
  const found = offered.find((one) => region === undefined || (one.region_id ?? one.region) === region);
  if (found?.url !== undefined) return found.url.replace(/\/+(?:v1\/*)?$/, '');
  const where = region === undefined ? '' : ` in region ${region}`;
  throw new CofferError('configuration', `the catalog names no key manager${where}; give its address as url`);
}

/** 80 % of a token's life, in which a new one is fetched while the old one still works. */
const refreshShare = 0.8;

/**
 * Turns credentials into a token by one request, or none for a token whose address is known. `transport`
 * bounds it in time. Throws `CofferError`, `unauthorized` when the credentials are refused.
 */
export async function logIn(from: Credentials, transport: TransportOptions): Promise<Login> {
  const insecure = from.allowInsecure ?? false;
  const given = from.url === undefined ? undefined : checkAddress(from.url, 'url', insecure);
  const base = from.authUrl === undefined ? undefined : checkAddress(from.authUrl, 'authUrl', insecure);
  const identity = base?.replace(/(?:\/v3)?$/, '/v3') ?? (given && `${given}/identity/v3`);
  if (identity === undefined) throw new CofferError('configuration', 'the address of the server is missing');
  const now = Date.now();
  if (from.type === 'token') checkToken(from.token);
  if (from.type === 'token' && isFinalToken(from) && given !== undefined) {
    const expiresAt = from.expiresAt?.getTime() ?? Infinity;
    const refreshAt = now + (expiresAt - now) * refreshShare;
    const unknown = { userName: undefined, projectId: undefined, projectName: undefined };
    return { token: from.token, url: given, expiresAt, refreshAt, ...unknown };
  }

  const headers: Record<string, string> = { accept: 'application/json' };
  if (from.type === 'token') headers['x-auth-token'] = from.token;
  const url = `${identity}/auth/tokens`;
  const final = isFinalToken(from);
  if (final && from.type === 'token') headers['x-subject-token'] = from.token;
  else headers['content-type'] = 'application/json';
  // a repeated login only makes one token more
  const answer = final
    ? await send({ method: 'GET', url, headers, idempotent: true }, transport)
    : await send({ method: 'POST', url, headers, body: tokenRequest(from), idempotent: true }, transport);

  const body = parseToken(answer);
  const token = checkToken(
    answer.headers.get('x-subject-token') ?? (from.type === 'token' ? from.token : null),
  );
  // a fresh token's life is measured by the server's clock alone: this machine's may be wrong
  const start = final ? now : Date.parse(body.issued_at ?? '');
  const lifeMs = Date.parse(body.expires_at ?? '') - start;
  return {
    token,
    url: given ?? checkAddress(findEndpoint(body.catalog ?? [], from.region), 'the catalog', insecure),
    expiresAt: Number.isNaN(lifeMs) ? Infinity : now + lifeMs,
    refreshAt: Number.isNaN(lifeMs) ? Infinity : now + lifeMs * refreshShare,
    userName: body.user?.name,
    projectId: body.project?.id,
    projectName: body.project?.name,
  };
}
