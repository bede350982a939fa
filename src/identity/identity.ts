import type { Coffer } from '../coffer.ts';
import { createPasswordHasher, type PasswordHasher } from '../crypto/password.ts';
import { listen } from '../db/listen.ts';
import { createRevisionMemory, type RevisionMemory } from '../db/revisions.ts';
import type { ProjectRow, RoleRow } from '../db/schema.ts';
import { openRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { authenticationRequired } from '../http/errors.ts';
import type { Actor } from '../policy/actor.ts';
import { createActors } from './actors.ts';
import { createApplicationLogin } from './applications/application-login.ts';
import { IDENTITY_CHANNEL } from '../db/channels.ts';
import { getProject, REVOKED } from './administration.ts';
import { originOf, type TokenClaims, type TokenOrigin } from './claims.ts';
import { createExchange } from './federation/exchange.ts';
import type { WorkloadProof } from './federation/workloads.ts';
import { DEFAULT_DOMAIN, type LoginRequest, type WantedScope } from './keystone-requests.ts';
import { type LoginAttempt, type LoginOrigin, recordedLogin } from './login-attempt.ts';
import { createPasswordLogin, type PasswordLogin } from './password-login.ts';
import { listRoles } from './queries.ts';
import { type IdentityParts, readUser, type Rights, type TokenScope } from './rights.ts';
import { openSessions, type Sessions } from './sessions.ts';
import { KEYS_CHANGED } from './signing-key-rotation.ts';
import { readTokenRights } from './token-rights.ts';
import type { SignedToken, SigningKey } from './tokens.ts';

export interface KnownToken {
  claims: TokenClaims;
  rights: Rights;
}

/** What the management of users shares with log-in: one queue of hashes, one memory of revisions. */
export interface Accounts {
  passwords: PasswordHasher;
  verifyPassword: PasswordLogin;
  memory: RevisionMemory;
}

export type IssuedToken = SignedToken & KnownToken;

/** What a user's tokens may be scoped to. */
export interface Scopes {
  projects: ProjectRow[];
  hasDomain: boolean;
  hasSystem: boolean;
}

export interface IdentityOptions {
  tokenTtlSeconds: number;
  /** Key sets of every issuer may be at private addresses. */
  issuerPrivateAddresses: boolean;
}

export interface Identity {
  readonly accounts: Accounts;
  authenticate(token: string): Promise<Actor>;
  login(request: LoginRequest, origin: LoginOrigin): Promise<IssuedToken>;
  /** A token for the bearer of a JWT of an issuer, in its project or without a scope. */
  exchange(proof: WorkloadProof, scope: 'project' | 'unscoped', origin: LoginOrigin): Promise<IssuedToken>;
  /**
   * One that ended within the last day may be asked for too.
   *
   * @throws CofferError `not_found` for a token that is not valid.
   */
  describe(token: string, options: { allowExpired: boolean }): Promise<KnownToken>;
  /** Ends a token before its time, and with a first one all that came of it, on every server within 5 s. */
  revoke(claims: TokenClaims): Promise<void>;
  /** Those whose rows verify. */
  listRoles(): Promise<RoleRow[]>;
  /** Where the user has a role. */
  listScopes(userId: string): Promise<Scopes>;
  verificationKeys(): readonly SigningKey[];
  close(): Promise<void>;
}

const READ_EVERY_MS = 2_000;
/** How long after its end a token may still be described; its revocation is remembered for as long. */
const EXPIRED_SECONDS_MAX = 24 * 3_600;

/** Log-in, tokens and the rights behind them. Reads keys and revocations before it returns. */
export async function openIdentity(coffer: Coffer, options: IdentityOptions): Promise<Identity> {
  const memory = createRevisionMemory();
  const sessions = await openSessions(coffer, options.tokenTtlSeconds, memory);
  const actors = createActors(coffer, memory);
  const passwords = createPasswordHasher();
  const logInByPassword = createPasswordLogin(coffer, passwords, memory);
  const logInByApplication = createApplicationLogin(coffer, memory);
  const stop = keepCurrent(coffer, sessions, () => actors.forget());

  const logIn = async (request: LoginRequest, attempt: LoginAttempt): Promise<IssuedToken> => {
    const { password, application } = request;
    if (password !== undefined) {
      const user = await logInByPassword(password.user, password.password, attempt);
      const rights = await readScope(coffer, memory, request, user.id, {});
      return { ...sessions.issue(rights, 'password', undefined), rights };
    }
    if (application !== undefined) {
      const rights = await logInByApplication(application.credential, application.secret);
      const { id, expires } = rights.application.row;
      const first = { origin: { app: id }, ...(expires === null ? {} : { expires: secondsOf(expires) }) };
      return { ...sessions.issue(rights, 'application_credential', undefined, first), rights };
    }
    const parent = await sessions.verify(request.token ?? '');
    attempt.userId = parent.sub;
    const known = await actors.findAnew(parent);
    requireRescoping(parent, request.scope);
    if (parent.app !== undefined) {
      // It gives another one of the same, and nothing else.
      return { ...sessions.issue(known.rights, 'token', parent), rights: known.rights };
    }
    const rights = await readScope(coffer, memory, request, parent.sub, originOf(parent));
    return { ...sessions.issue(rights, 'token', parent), rights };
  };

  return {
    accounts: { passwords, verifyPassword: logInByPassword, memory },
    authenticate: async (token) => (await actors.find(await sessions.verify(token))).actor,
    login: async (request, origin) => {
      const method = methodOf(request);
      return await recordedLogin(coffer, origin, method, async (attempt) => await logIn(request, attempt));
    },
    exchange: createExchange(coffer, memory, sessions, options),
    describe: async (token, { allowExpired }) => {
      try {
        const claims = await sessions.verify(token, allowExpired ? EXPIRED_SECONDS_MAX : 0);
        return { claims, rights: (await actors.find(claims)).rights };
      } catch (error) {
        if (!(error instanceof CofferError && error.code === 'unauthorized')) throw error;
        throw new CofferError('not_found', 'Could not find token.');
      }
    },
    revoke: async (claims) => {
      if ((await sessions.revoke(claims)) === 'all') actors.forget();
    },
    listRoles: async () => await listGenuineRoles(coffer),
    listScopes: async (userId) => await listScopesOf(coffer, userId),
    verificationKeys: () => sessions.verificationKeys(),
    close: stop,
  };
}

/** Reads what other servers change: told by NOTIFY at once, and by the clock where that was missed. */
function keepCurrent(coffer: Coffer, sessions: Sessions, forgetRights: () => void): () => Promise<void> {
  const attempt = (what: string, work: () => Promise<void>) => (): void => {
    work().catch((error: unknown) => coffer.log.warn({ err: error }, `${what} were not read`));
  };
  const readRevocations = attempt('revocations', async () => await sessions.refreshRevocations());
  const readKeys = attempt('signing keys', async () => await sessions.refreshKeys());
  const timer = setInterval(() => {
    readRevocations();
    readKeys();
  }, READ_EVERY_MS).unref();
  const listener = listen(coffer.db, IDENTITY_CHANNEL, (payload) => {
    if (payload !== KEYS_CHANGED) readRevocations();
    if (payload !== REVOKED) readKeys();
    if (payload !== KEYS_CHANGED && payload !== REVOKED) forgetRights();
  });
  return async () => {
    clearInterval(timer);
    await listener.close();
  };
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

function methodOf({ password, application }: LoginRequest): string {
  if (application !== undefined) return 'application_credential';
  return password === undefined ? 'token' : 'password';
}

/** As in Keystone: what was given for the system, or to an application, gives no other scope. */
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

/** For the ids of implied roles, which decide nothing: a damaged row is left out, or nobody could log in. */
async function listGenuineRoles({ db, keyring, integrityViolations }: Coffer): Promise<RoleRow[]> {
  const opened = (await listRoles(db)).map(async (row) => {
    try {
      return [await openRow(keyring, 'roles', { id: row.id }, row)];
    } catch (error) {
      if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
      integrityViolations.count('roles', 'none');
      return [];
    }
  });
  return (await Promise.all(opened)).flat();
}

async function listScopesOf(parts: IdentityParts, userId: string): Promise<Scopes> {
  const assignments = (await readUser(parts, userId, null))?.assignments ?? [];
  const ids = assignments
    .filter(({ scope_kind }) => scope_kind === 'project')
    .map(({ scope_id }) => scope_id);
  const projects = await Promise.all(
    [...new Set(ids)].map(async (id) => await parts.keyring.findProject(id)),
  );
  return {
    projects: projects.flatMap((project) =>
      project?.enabled === true && project.deleted === null ? [project] : [],
    ),
    hasDomain: assignments.some(
      ({ scope_kind, scope_id }) => scope_kind === 'domain' && scope_id === DEFAULT_DOMAIN.id,
    ),
    hasSystem: assignments.some(({ scope_kind }) => scope_kind === 'system'),
  };
}

function refused(): CofferError {
  return new CofferError('unauthorized', authenticationRequired);
}
