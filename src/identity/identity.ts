import type { Coffer } from '../coffer.ts';
import { createPasswordHasher, type PasswordHasher } from '../crypto/password.ts';
import { IDENTITY_CHANNEL } from '../db/channels.ts';
import { listen } from '../db/listen.ts';
import { createRevisionMemory, type RevisionMemory } from '../db/revisions.ts';
import type { RoleRow } from '../db/schema.ts';
import { CofferError } from '../errors.ts';
import type { Actor } from '../policy/actor.ts';
import { createActors } from './actors.ts';
import { REVOKED } from './administration.ts';
import { createApplicationLogin } from './applications/application-login.ts';
import type { TokenClaims } from './claims.ts';
import { createExchange } from './federation/exchange.ts';
import type { WorkloadProof } from './federation/workloads.ts';
import type { LoginRequest } from './keystone-requests.ts';
import { createLogin, type IssuedToken, methodOf } from './log-in.ts';
import { type LoginOrigin, recordedLogin } from './login-attempt.ts';
import { createPasswordLogin, type PasswordLogin } from './password-login.ts';
import type { Rights } from './rights.ts';
import { createRoleList } from './role-list.ts';
import { listScopesOf, type Scopes } from './scopes.ts';
import { openSessions, type Sessions } from './sessions.ts';
import { KEYS_CHANGED } from './signing-key-rotation.ts';
import type { SigningKey } from './tokens.ts';

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
  /** Those whose rows verify, at most 5 s old. */
  listRoles(): Promise<readonly RoleRow[]>;
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

  const logIn = createLogin({ coffer, memory, sessions, actors, logInByPassword, logInByApplication });
  const listRoles = createRoleList(coffer);

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
    listRoles,
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
