import { PASSWORD_BYTES_MAX } from '../../crypto/password.ts';
import type { ProjectRow, UserRow } from '../../db/schema.ts';
import { deleteRow, type Hold, holdRows, sealRow, swapRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import * as administration from '../administration.ts';
import { announce, nameTaken } from '../administration.ts';
import { removeCredentialsOfUser } from '../applications/credential-rows.ts';
import { untilCurrent } from '../assignments.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';
import { isMachineName, type Name, nameKey, parseName, parseUserName } from '../names.ts';
import type { KnownUser } from '../rights.ts';
import { findProject } from '../rows.ts';
import { nextValidFrom } from '../valid-from.ts';
import { holdAdministrator, isAdministrator } from './administrators.ts';
import { type Extra, mergeExtra } from './extra.ts';
import type { ListFilter } from './filters.ts';
import { getTarget, type Management, openGenuine, type Read } from './management.ts';
import { listUsers as listUserRows } from './queries.ts';

export interface UserChanges {
  name?: string;
  /** Null for a user who cannot log in by password. */
  password?: string | null;
  email?: string | null;
  description?: string | null;
  enabled?: boolean;
  default_project_id?: string | null;
  extra?: Extra;
}

/** A page of a list; `next` is the id after which the next one begins. */
export interface Page<Row> {
  rows: Row[];
  next?: string;
}

/** One row more than the page holds says that there is another. */
export function pageOf<Row extends { id: string }>(rows: Row[], limit: number): Page<Row> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return rows.length > limit && last !== undefined ? { rows: page, next: last.id } : { rows: page };
}

export async function listUsers(
  management: Management,
  filter: ListFilter | undefined,
): Promise<Page<UserRow>> {
  management.require('identity:list_users', { domainId: DEFAULT_DOMAIN.id });
  if (filter === undefined) return { rows: [] };
  const page = pageOf(await listUserRows(management.db, filter), filter.limit);
  return { ...page, rows: await openGenuine(management, 'users', page.rows) };
}

export async function getUser(management: Management, id: string): Promise<UserRow> {
  return (await getTarget(management, 'identity:get_user', id)).user;
}

/** @throws CofferError `conflict` when the name is taken. */
export async function createUser(
  management: Management,
  readWanted: Read<UserChanges & { name: string }>,
): Promise<UserRow> {
  management.require('identity:create_user', { domainId: DEFAULT_DOMAIN.id });
  const { name, password = null, extra = new Map(), ...more } = await readWanted();
  return await administration.createUser(management, management.passwords, name, checked(password), {
    ...more,
    extra: mergeExtra(null, extra),
  });
}

/**
 * Who is disabled, or gets another password, loses every token: also once enabled again.
 *
 * @throws CofferError `forbidden` for disabling the last administrator, or taking its password away.
 */
export async function updateUser(
  management: Management,
  id: string,
  readChanges: Read<UserChanges>,
): Promise<UserRow> {
  let password_hash: string | null | undefined;
  return await untilCurrent(async () => {
    const known = await getTarget(management, 'identity:update_user', id);
    const { name, password, extra = new Map(), ...plain } = await readChanges();
    const { user } = known;
    const isDisabled = plain.enabled === false && user.enabled;
    const holds = isDisabled || password === null ? await holdOthers(management, known) : [];
    if (typeof password === 'string') requirePerson(user);
    if (password !== undefined) password_hash ??= await hashed(management, checked(password));
    const endsTokens = isDisabled || password !== undefined;
    const parsed = name === undefined ? undefined : parseNewName(name, user);
    const next = await sealRow(management.keyring, 'users', {
      ...user,
      ...plain,
      extra: mergeExtra(user.extra, extra),
      ...(parsed === undefined ? {} : { name: parsed.name, name_key: parsed.key }),
      ...(password_hash === undefined ? {} : { password_hash }),
      tokens_valid_from: endsTokens
        ? nextValidFrom(management.clock.now(), user.tokens_valid_from)
        : user.tokens_valid_from,
      revision: user.revision + 1n,
      updated: management.clock.now(),
    });
    await management.db.transaction(async (tx) => {
      await holdRows(tx, [...holds, { table: 'users', row: user, change: true }]);
      await swapRow(tx, 'users', user, next).catch(nameTaken('user', name ?? ''));
      await announce(tx);
    });
    return next;
  });
}

/**
 * A user's own change. `verify` throws for a wrong original password, and counts it as a failed log-in.
 *
 * @throws CofferError `unauthorized` for a wrong original password.
 */
export async function changePassword(
  management: Management,
  verify: (original: string) => Promise<unknown>,
  id: string,
  readPasswords: Read<{ original: string; password: string }>,
): Promise<void> {
  management.require('identity:change_password', { userId: id });
  const { original, password } = await readPasswords();
  const fresh = checked(password);
  await verify(original);
  const unguarded: Management = { ...management, require: () => {} };
  await updateUser(unguarded, id, async () => ({ password: fresh }));
}

/** The user's row, every assignment and application credential go at once; tokens end with the rights. */
export async function deleteUser(management: Management, id: string): Promise<void> {
  await untilCurrent(async () => {
    const known = await getTarget(management, 'identity:delete_user', id);
    const holds = await holdOthers(management, known);
    await management.db.transaction(async (tx) => {
      await holdRows(tx, [...holds, { table: 'users', row: known.user, change: true }]);
      await deleteRow(tx, 'users', known.user);
      for (const assignment of known.assignments) await deleteRow(tx, 'role_assignments', assignment);
      await removeCredentialsOfUser(management, tx, known.user.id, null);
      await announce(tx);
    });
  });
}

/** The projects in which the user has a role. */
export async function listUserProjects(management: Management, id: string): Promise<ProjectRow[]> {
  const { assignments } = await getTarget(management, 'identity:list_user_projects', id);
  const inProjects = assignments.filter(({ scope_kind }) => scope_kind === 'project');
  const ids = [...new Set(inProjects.map(({ scope_id }) => scope_id))];
  const projects = await Promise.all(ids.map(async (projectId) => await findProject(management, projectId)));
  return projects.flatMap((project) => project ?? []);
}

/** Who else administers, where this user does. */
async function holdOthers(management: Management, known: KnownUser): Promise<Hold[]> {
  if (!isAdministrator(known)) return [];
  return await holdAdministrator(management, ({ user }) => user.id === known.user.id);
}

/** Whoever keeps a name keeps it, whatever names are not given any more. */
function parseNewName(name: string, user: UserRow): Name {
  return nameKey(name) === user.name_key ? parseName(name, 'user') : parseUserName(name);
}

function requirePerson({ name, name_key }: UserRow): void {
  if (!isMachineName(name_key)) return;
  throw new CofferError(
    'bad_request',
    `${name} is the user of an application or an issuer, and has no password.`,
  );
}

async function hashed({ passwords }: Management, password: string | null): Promise<string | null> {
  return password === null ? null : await passwords.hash(password);
}

/** @throws CofferError `bad_request` for a password that nobody could log in with. */
function checked<T extends string | null>(password: T): T {
  if (password === null) return password;
  if (password === '' || Buffer.byteLength(password) > PASSWORD_BYTES_MAX) {
    throw new CofferError(
      'bad_request',
      `Password validation error: a password has 1 to ${PASSWORD_BYTES_MAX} bytes.`,
    );
  }
  return password;
}
