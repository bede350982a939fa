import type { Coffer } from '../coffer.ts';
import type { RevisionMemory } from '../db/revisions.ts';
import { CofferError } from '../errors.ts';
import { authenticationRequired } from '../http/errors.ts';
import type { Actors } from './actors.ts';
import { getProject } from './administration.ts';
import type { ApplicationLogin } from './applications/application-login.ts';
import { originOf, type TokenClaims, type TokenOrigin } from './claims.ts';
import type { LoginRequest, WantedScope } from './keystone-requests.ts';
import type { LoginAttempt } from './login-attempt.ts';
import type { PasswordLogin } from './password-login.ts';
import type { IdentityParts, Rights, TokenScope } from './rights.ts';
import type { Sessions } from './sessions.ts';
import { readTokenRights } from './token-rights.ts';
import type { SignedToken } from './tokens.ts';
import { isFromBefore } from './valid-from.ts';

export type IssuedToken = SignedToken & { rights: Rights };

export interface LoginParts {
  coffer: Coffer;
  memory: RevisionMemory;
  sessions: Sessions;
  actors: Actors;
  logInByPassword: PasswordLogin;
  logInByApplication: ApplicationLogin;
}

/** Each way to a token that `POST /v3/auth/tokens` knows. */
export function createLogin(parts: LoginParts) {
  const { coffer, memory, sessions, actors, logInByPassword, logInByApplication } = parts;
  return async (request: LoginRequest, attempt: LoginAttempt): Promise<IssuedToken> => {
    const { password, application } = request;
    if (password !== undefined) {
      const user = await logInByPassword(password.user, password.password, attempt);
      const rights = await readScope(coffer, memory, request, user.id, {});
      // Changed while it was compared: what ended the tokens given for it must not date this one past that.
      if (rights.user.password_hash !== user.password_hash) throw refused();
      return { ...sessions.issue(rights, 'password', undefined), rights };
    }
    if (application !== undefined) {
      const rights = await logInByApplication(application.credential, application.secret, attempt);
      const { id, expires } = rights.application.row;
      const first = { origin: { app: id }, ...(expires === null ? {} : { expires: secondsOf(expires) }) };
      return { ...sessions.issue(rights, 'application_credential', undefined, first), rights };
    }
    const parent = await sessions.verify(request.token ?? '');
    attempt.userId = parent.sub;
    attempt.applicationId = parent.app ?? null;
    const known = await actors.findAnew(parent);
    requireRescoping(parent, request.scope);
    // A token of an application credential gives another one of the same, and nothing else.
    const rights =
      parent.app === undefined
        ? await readScope(coffer, memory, request, parent.sub, originOf(parent))
        : known.rights;
    requireStillValid(parent, rights);
    return { ...sessions.issue(rights, 'token', parent), rights };
  };
}

/** Ended since it was judged: the new token would be dated past that. */
function requireStillValid(parent: TokenClaims, { user, project, issuer }: Rights): void {
  for (const row of [user, project, issuer]) {
    if (isFromBefore(parent, row?.tokens_valid_from ?? null)) throw refused();
  }
}

export function methodOf({ password, application }: LoginRequest): string {
  if (application !== undefined) return 'application_credential';
  return password === undefined ? 'token' : 'password';
}

/** The rights in the scope that was asked for. @throws CofferError `unauthorized` where the user has none. */
async function readScope(
  parts: IdentityParts,
  memory: RevisionMemory,
  { scope }: Pick<LoginRequest, 'scope'>,
  userId: string,
  origin: TokenOrigin,
): Promise<Rights> {
  const read = async (wanted: TokenScope): Promise<Rights | undefined> =>
    await readTokenRights(parts, memory, userId, wanted, origin);
  if (scope !== undefined && scope.kind !== 'unscoped') {
    const rights = await read(await resolveScope(parts, scope));
    // A scope is told from one that is not there only to who has a role in it.
    if (rights === undefined || rights.roles.length === 0) throw refused();
    return rights;
  }
  const unscoped = await read({ kind: 'unscoped' });
  if (unscoped === undefined) throw refused();
  const defaultProject = scope === undefined ? unscoped.user.default_project_id : null;
  if (defaultProject === null) return unscoped;
  const rights = await read({ kind: 'project', id: defaultProject });
  return rights !== undefined && rights.roles.length > 0 ? rights : unscoped;
}

const secondsOf = (time: Date): number => Math.floor(time.getTime() / 1000);

/**
 * As in Keystone: what was given to an application gives no other scope, and what was given for the system no
 * project or domain that is asked for. An unscoped token, and the default project where nothing is asked, it
 * gives.
 */
function requireRescoping(parent: TokenClaims, scope: WantedScope | undefined): void {
  if (parent.app !== undefined && scope !== undefined) {
    throw new CofferError(
      'forbidden',
      'You are not authorized to perform the requested action: Using an application credential token to ' +
        'create a scoped token is not allowed.',
    );
  }
  if (parent.sys !== true || (scope?.kind !== 'project' && scope?.kind !== 'domain')) return;
  throw new CofferError(
    'forbidden',
    'You are not authorized to perform the requested action: Using a system-scoped token to create a ' +
      'project-scoped or domain-scoped token is not allowed.',
  );
}

async function resolveScope(parts: IdentityParts, scope: WantedScope): Promise<TokenScope> {
  if (scope.kind === 'unsupported') throw refused();
  if (scope.kind !== 'project') return scope;
  const { project } = scope;
  if ('id' in project) return { kind: 'project', id: project.id };
  try {
    return { kind: 'project', id: (await getProject(parts, project.name)).id };
  } catch (error) {
    throw error instanceof CofferError && error.code === 'not_found' ? refused() : error;
  }
}

function refused(): CofferError {
  return new CofferError('unauthorized', authenticationRequired);
}
