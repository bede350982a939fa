import { createPasswordHasher } from '../../crypto/password.ts';
import type { Queryable } from '../../db/open.ts';
import type { ApplicationCredentialRow, ProjectRow, RoleRow } from '../../db/schema.ts';
import { deleteRow, openRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import { expandRoles } from '../../policy/actor.ts';
import { announce, createProject, createUser, getProject, getRole, getUser } from '../administration.ts';
import { addGrant, untilCurrent } from '../assignments.ts';
import { APP_PREFIX } from '../names.ts';
import { type IdentityParts, type KnownUser, readUser } from '../rights.ts';
import { isCredentialEnded } from './application-rights.ts';
import { listCredentials, listUserNames } from './credential-queries.ts';
import type { WantedRule } from './credential-requests.ts';
import { type CredentialDraft, insertCredential, removeCredentialsOfUser } from './credential-rows.ts';
import { makeSecret } from './credential-secret.ts';
import { isSource } from './redemption-source.ts';
import { insertRedemption, revokeCredential } from './redemptions.ts';

/** An application: a user without a password, called `app:` and its name, and the one credential it has. */
export interface App {
  name: string;
  user: KnownUser['user'];
  credential: ApplicationCredentialRow;
  state: 'waiting' | 'live' | 'revoked' | 'ended';
}

export interface NewApp {
  name: string;
  project: string;
  createProject: boolean;
  roles: readonly string[];
  rules: readonly WantedRule[] | null;
  expires: Date | null;
  /** The addresses that may redeem the code; null for any. */
  source: string | null;
  /** Whether the secret is given at once, instead of a code. */
  printsSecret: boolean;
}

export type MadeApp = App & ({ secret: string } | { code: string; codeExpires: Date });

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;

/**
 * Makes what is missing: the project, when that is wanted; the application's user with its roles there; and a
 * credential. One that nobody fetched, or that was revoked or has ended, is replaced.
 *
 * @throws CofferError `conflict` when the application has a credential that is live, or its user a password.
 */
export async function createApp(parts: IdentityParts, wanted: NewApp): Promise<MadeApp> {
  requireSound(wanted);
  const roles = await Promise.all(wanted.roles.map(async (name) => await getRole(parts, name)));
  const implied = await Promise.all(
    expandRoles(wanted.roles).map(async (name) => await getRole(parts, name)),
  );
  const project = await getOrCreateProject(parts, wanted);
  return await untilCurrent(async () => {
    const known = await findAppUser(parts, wanted.name);
    if (known !== undefined) requireNoPassword(known);
    const previous = known && (await findApp(parts, wanted.name, known));
    if (previous?.state === 'live') {
      throw new CofferError('conflict', `There is an application called ${wanted.name} already.`);
    }
    const user = known?.user ?? (await makeUser(parts, wanted.name, project, roles));
    if (known !== undefined) await grantMissing(parts, user.id, project, roles);
    const draft = {
      userId: user.id,
      projectId: project.id,
      name: wanted.name,
      description: null,
      secret: wanted.printsSecret ? makeSecret('cofa') : null,
      roles: implied,
      accessRules: wanted.rules,
      unrestricted: false,
      expires: wanted.expires,
    };
    return await parts.db.transaction(async (tx) => {
      await removeCredentialsOfUser(parts, tx, user.id, null);
      return await insertApp(parts, tx, wanted, draft, user);
    });
  });
}

async function insertApp(
  parts: IdentityParts,
  tx: Queryable,
  { name, source }: NewApp,
  draft: CredentialDraft,
  user: KnownUser['user'],
): Promise<MadeApp> {
  const credential = await insertCredential(parts, tx, draft);
  const app = { name, user, credential };
  if (draft.secret !== null) return { ...app, state: 'live', secret: draft.secret };
  const { code, expires } = await insertRedemption(parts, tx, credential, source);
  return { ...app, state: 'waiting', code, codeExpires: expires };
}

async function makeUser(
  parts: IdentityParts,
  name: string,
  project: ProjectRow,
  roles: readonly RoleRow[],
): Promise<KnownUser['user']> {
  const scope = { kind: 'project', id: project.id } as const;
  const grants = roles.map((role) => ({ scope, role, project }));
  return await createUser(parts, createPasswordHasher(), `${APP_PREFIX}${name}`, null, {
    grants,
    isMachine: true,
  });
}

async function grantMissing(
  parts: IdentityParts,
  userId: string,
  project: ProjectRow,
  roles: readonly RoleRow[],
): Promise<void> {
  for (const role of roles) {
    const known = await readUser(parts, userId, null);
    if (known === undefined) throw new CofferError('not_found', 'The application is being deleted.');
    requireNoPassword(known);
    await addGrant(parts, known, { scope: { kind: 'project', id: project.id }, role, project });
  }
}

/** Whoever knows a password of that user would get the roles that the application is given. */
function requireNoPassword({ user }: KnownUser): void {
  if (user.password_hash === null) return;
  throw new CofferError(
    'conflict',
    `The user ${user.name} has a password, so it is no application: rename it (coffer user set), or delete it.`,
  );
}

async function getOrCreateProject(parts: IdentityParts, wanted: NewApp): Promise<ProjectRow> {
  try {
    return await getProject(parts, wanted.project);
  } catch (error) {
    const isMissing = error instanceof CofferError && error.code === 'not_found';
    if (!isMissing || !wanted.createProject) throw error;
    return await createProject(parts, wanted.project);
  }
}

export async function listApps(parts: IdentityParts): Promise<App[]> {
  const names = await listUserNames(parts.db, APP_PREFIX);
  const apps = await Promise.all(
    names.map(async (name) => await findApp(parts, name.slice(APP_PREFIX.length))),
  );
  return apps.flatMap((app) => app ?? []);
}

/** @throws CofferError `not_found`. */
export async function getApp(parts: IdentityParts, name: string): Promise<App> {
  const app = await findApp(parts, name);
  if (app === undefined) throw new CofferError('not_found', `There is no application ${name}.`);
  return app;
}

async function findApp(parts: IdentityParts, name: string, given?: KnownUser): Promise<App | undefined> {
  const user = (given ?? (await findAppUser(parts, name)))?.user;
  if (user === undefined) return undefined;
  const [row] = await listCredentials(parts.db, user.id);
  if (row === undefined) return undefined;
  const asked = { user_id: user.id };
  const credential = await openRow(parts.keyring, 'application_credentials', asked, row);
  const state = stateOf(credential, parts.clock.now());
  return { name: user.name.slice(APP_PREFIX.length), user, credential, state };
}

function stateOf(credential: ApplicationCredentialRow, now: Date): App['state'] {
  if (!credential.enabled) return 'revoked';
  if (isCredentialEnded(credential, now)) return 'ended';
  return credential.secret_hash === null ? 'waiting' : 'live';
}

async function findAppUser(parts: IdentityParts, name: string): Promise<KnownUser | undefined> {
  try {
    return await readUser(parts, (await getUser(parts, `${APP_PREFIX}${name}`)).id, null);
  } catch (error) {
    if (error instanceof CofferError && error.code === 'not_found') return undefined;
    throw error;
  }
}

/**
 * Its secret and its tokens end, on every server within 5 s; the application stays, and can be made anew.
 * Resolves to the id of its credential.
 */
export async function revokeApp(parts: IdentityParts, name: string): Promise<string> {
  return await untilCurrent(async () => {
    const { credential } = await getApp(parts, name);
    await revokeCredential(parts, credential);
    return credential.id;
  });
}

/** The application with its user, roles and credential. What it stored stays. Resolves to the user's id. */
export async function deleteApp(parts: IdentityParts, name: string): Promise<string> {
  return await untilCurrent(async () => {
    const known = await findAppUser(parts, name);
    if (known === undefined) throw new CofferError('not_found', `There is no application ${name}.`);
    await parts.db.transaction(async (tx) => {
      await removeCredentialsOfUser(parts, tx, known.user.id, null);
      for (const assignment of known.assignments) await deleteRow(tx, 'role_assignments', assignment);
      await deleteRow(tx, 'users', known.user);
      await announce(tx);
    });
    return known.user.id;
  });
}

function requireSound({ name, roles, source, printsSecret }: NewApp): void {
  if (!NAME.test(name)) {
    throw invalid('An application is named by 1 to 64 letters, digits, dots, dashes and underscores.');
  }
  if (roles.length === 0) throw invalid('Without a role the application could do nothing.');
  if (source !== null && !isSource(source)) {
    throw invalid('The source is an address or a range of them, as 192.0.2.0/24 or 2001:db8::/32.');
  }
  if (source !== null && printsSecret) throw invalid('A source is for a code, not for a printed secret.');
}

function invalid(message: string): CofferError {
  return new CofferError('bad_request', message);
}
