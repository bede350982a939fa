import type { IncomingHttpHeaders } from 'node:http';
import { CofferError } from '../errors.ts';
import type { Actor } from '../policy/actor.ts';
import { authenticationRequired } from './errors.ts';
import type { Surface } from './surface.ts';

/** Throws CofferError('unauthorized') for any token but a valid one. */
export type Authenticate = (token: string) => Promise<Actor>;

/** Who a request's headers say it comes from; throws where they do not say. */
export type Identify = (headers: IncomingHttpHeaders) => Promise<Actor> | Actor;

export function unauthorized(): CofferError {
  return new CofferError('unauthorized', authenticationRequired);
}

/**
 * The token of `X-Auth-Token` or of `Authorization: Bearer`. Two that differ are refused with 400, not 401:
 * on a 401 keystoneauth would log in again and repeat the same contradiction.
 */
function readToken(headers: IncomingHttpHeaders): string {
  const token = headers['x-auth-token'];
  const bearer = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (typeof token !== 'string' || token === '') {
    if (bearer === undefined) throw unauthorized();
    return bearer;
  }
  if (bearer !== undefined && bearer !== token) {
    throw new CofferError('bad_request', 'X-Auth-Token and Authorization name different tokens.');
  }
  return token;
}

export function identifyByToken(authenticate: Authenticate): Identify {
  return (headers) => authenticate(readToken(headers));
}

/** The key manager serves projects: a token without one is as good as none. */
export function requireProject(actor: Actor, surface: Surface): void {
  if ((surface === 'v1' || surface === 'v2') && actor.projectId === null) throw unauthorized();
}
