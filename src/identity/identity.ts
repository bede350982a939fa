import { randomBytes } from 'node:crypto';
import type { Coffer } from '../coffer.ts';
import { createPasswordHasher, PASSWORD_BYTES_MAX } from '../crypto/password.ts';
import { listen } from '../db/listen.ts';
import { createRevisionMemory } from '../db/revisions.ts';
import type { ProjectRow, RoleRow, UserRow } from '../db/schema.ts';
import { insertRow, openRow, sealRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import type { Actor } from '../policy/actor.ts';
import { createActors } from './actors.ts';
import { getProject, getUser, IDENTITY_CHANNEL } from './administration.ts';
import type { LoginRequest, Named } from './keystone-requests.ts';
import { countLoginFailure, findUser, forgetLoginFailures, isThrottled, listRoles } from './queries.ts';
import { openRevocations } from './revocations.ts';
import { readAssignments, type Rights, readRights } from './rights.ts';
import { openSigningKeys } from './signing-keys.ts';
import { createTokenVerifier, signToken, type TokenClaims, type TokenKey } from './tokens.ts';

export interface IssuedToken {
  token: string;
  claims: TokenClaims;
  rights: Rights;
}

export interface Identity {
  authenticate(token: string): Promise<Actor>;
  login(request: LoginRequest): Promise<IssuedToken>;
  /** @throws CofferError `not_found` for a token that is not valid. */
  describe(token: string): Promise<{ claims: TokenClaims; rights: Rights }>;
  /** Ends a token before its time, on every server within 5 s. */
  revoke(token: string): Promise<void>;
  listRoles(): Promise<RoleRow[]>;
  /** The projects in which the user has a role. */
  listProjects(userId: string): Promise<ProjectRow[]>;
  verificationKeys(): readonly TokenKey[];
  close(): Promise<void>;
}

const REFRESH_MS = 2_000;

/** Log-in, tokens and the rights behind them. Reads keys and revocations before it returns. */
export async function openIdentity(coffer: Coffer, options: { tokenTtlSeconds: number }): Promise<Identity> {
  const { db, keyring, clock, log } = coffer;
  const parts = { db, keyring, clock };
  const memory = createRevisionMemory();
  const passwords = await createPasswordHasher();
  const keys = await openSigningKeys(parts);
  const revocations = await openRevocations(parts);
  const actors = createActors(parts, memory);
  // Of the installation, not of the address: a server that moves keeps its tokens.
  const issuer = `coffer:${Buffer.from(keyring.installationId).toString('hex')}`;
  const verifier = createTokenVerifier(issuer, (id) => keys.find(id));
  const refresh = (): void => {
    revocations.refresh().catch((error: unknown) => log.warn({ err: error }, 'revocations were not read'));
  };
  const timer = setInterval(refresh, REFRESH_MS).unref();
  const listener = listen(db, IDENTITY_CHANNEL, () => {
    actors.forget();
    refresh();
  });

  const verify = async (token: string): Promise<TokenClaims> => {
    let claims: TokenClaims;
    try {
      claims = verifier.verify(token, clock.now());
    } catch {
      // Another server may have signed it with a key that is newer than our list.
      await keys.refresh();
      claims = verifier.verify(token, clock.now());
    }
    if (revocations.isRevoked(claims.jti)) throw refused();
    return claims;
  };

  const issue = async (
    user: UserRow,
    projectId: string | null,
    method: string,
    before: TokenClaims | undefined,
  ): Promise<IssuedToken> => {
    const rights = await readRights(parts, memory, user.id, projectId);
    // A project is told from another only to who has a role in it.
    if (rights === undefined || (projectId !== null && rights.roles.length === 0)) throw refused();
    const seconds = Math.floor(clock.now().getTime() / 1000);
    const auditId = randomBytes(16).toString('base64url');
    const signed = signToken(keys.current(), issuer, {
      sub: user.id,
      ...(projectId === null ? {} : { prj: projectId }),
      iat: seconds,
      exp: Math.min(before?.exp ?? Number.POSITIVE_INFINITY, seconds + options.tokenTtlSeconds),
      methods: [...new Set([...(before?.methods ?? []), method])],
      audit_ids: [auditId, ...(before?.audit_ids.slice(-1) ?? [])],
    });
    return { ...signed, rights };
  };

  const resolveProject = async (named: Named): Promise<string> => {
    if ('id' in named) return named.id === '' ? 'unknown' : named.id;
    return (await getProject(parts, named.name).catch(asRefused)).id;
  };

  const scopeOf = async (request: LoginRequest, user: UserRow, before: TokenClaims | undefined) => {
    const { scope } = request;
    if (scope === undefined) return before?.prj ?? user.default_project_id;
    if (scope.kind === 'unscoped') return null;
    if (scope.kind === 'unsupported') throw refused();
    return await resolveProject(scope.project);
  };

  const logInByPassword = async ({ user: named, password }: NonNullable<LoginRequest['password']>) => {
    const user = await resolveUser(named).catch((error: unknown) => {
      if (error instanceof CofferError && error.code === 'not_found') return undefined;
      throw error;
    });
    if (user !== undefined) memory.check('users', user);
    const isLong = Buffer.byteLength(password) > PASSWORD_BYTES_MAX;
    const isHeld = user !== undefined && (await isThrottled(db, user.id));
    const known = user?.enabled === true && !isHeld && !isLong ? user : undefined;
    // The same work and the same answer for who is unknown, disabled or throttled, and for a wrong password.
    const matches = await passwords.verify(known?.password_hash ?? null, isLong ? '' : password);
    if (known === undefined || !matches) {
      if (user !== undefined) await countLoginFailure(db, user.id);
      throw refused();
    }
    await forgetLoginFailures(db, known.id);
    return known;
  };

  const resolveUser = async (named: Named): Promise<UserRow | undefined> => {
    if ('name' in named) return await getUser(parts, named.name);
    const found = await findUser(db, named.id);
    return found && (await openRow(keyring, 'users', { id: named.id }, found));
  };

  return {
    authenticate: async (token) => (await actors.find(await verify(token))).actor,
    login: async (request) => {
      if (request.password !== undefined) {
        const user = await logInByPassword(request.password);
        return await issue(user, await scopeOf(request, user, undefined), 'password', undefined);
      }
      const before = await verify(request.token ?? '');
      const { rights } = await actors.find(before);
      return await issue(rights.user, await scopeOf(request, rights.user, before), 'token', before);
    },
    describe: async (token) => {
      const claims = await verify(token).catch(asNotFound);
      const { rights } = await actors.find(claims).catch(asNotFound);
      return { claims, rights };
    },
    revoke: async (token) => {
      const claims = await verify(token).catch(asNotFound);
      const system = await keyring.findProject('system');
      const created = clock.now();
      const row = await sealRow(keyring, 'revoked_tokens', {
        id: claims.jti,
        user_id: claims.sub,
        expires: new Date(claims.exp * 1000),
        created,
        updated: created,
        revision: 1n,
        epoch: system?.active_epoch ?? 0n,
      });
      await insertRow(db, 'revoked_tokens', row).catch((error: unknown) => {
        // Revoked already, by someone who was faster.
        if (!(error instanceof CofferError && error.code === 'conflict')) throw error;
      });
      await revocations.refresh();
      await db.query({ text: `NOTIFY ${IDENTITY_CHANNEL}` });
    },
    listRoles: async () => {
      const rows = await listRoles(db);
      return await Promise.all(rows.map(async (row) => await openRow(keyring, 'roles', { id: row.id }, row)));
    },
    listProjects: async (userId) => {
      const found = await findUser(db, userId);
      if (found === undefined) return [];
      const assignments = await readAssignments(
        parts,
        await openRow(keyring, 'users', { id: userId }, found),
      );
      const ids = assignments.filter((one) => one.scope_kind === 'project').map(({ scope_id }) => scope_id);
      const projects = await Promise.all([...new Set(ids)].map(async (id) => await keyring.findProject(id)));
      return projects.filter((project) => project?.enabled === true) as ProjectRow[];
    },
    verificationKeys: () => keys.all(),
    close: async () => {
      clearInterval(timer);
      await listener.close();
      keys.close();
    },
  };
}

function refused(): CofferError {
  return new CofferError('unauthorized', 'The request you have made requires authentication.');
}

function asRefused(error: unknown): never {
  throw error instanceof CofferError && error.code === 'not_found' ? refused() : error;
}

function asNotFound(error: unknown): never {
  if (!(error instanceof CofferError && error.code === 'unauthorized')) throw error;
  throw new CofferError('not_found', 'Could not find token.');
}
