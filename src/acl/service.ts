import type { Coffer } from '../coffer.ts';
import { type Operation, operate } from '../operation.ts';
import type { Action } from '../policy/actions.ts';
import type { Caller } from '../policy/actor.ts';
import { type Acl, decodeAcl, encodeAcl } from './record.ts';
import { type AclChange, parseAclChange } from './schema.ts';

/** A row that carries an ACL under its seal. */
interface AclRow {
  id: string;
  acl: Uint8Array | null;
}

export interface AclColumns {
  acl: Uint8Array | null;
  updated: Date;
}

/** What has ACLs: secrets or containers. Made by their slice, given by app.ts. */
export interface AclOwner<R extends AclRow> {
  collection: 'secrets' | 'containers';
  parameter: 'secretId' | 'containerId';
  actions: Readonly<Record<'get' | 'change' | 'remove', Action>>;
  /** As refusals name it: `SecretACL(s)`. */
  name: string;
  /** How one of them is found and judged. */
  on: (
    coffer: Coffer,
    id: string,
    action: Action,
    name: string,
  ) => Pick<Operation<R, unknown>, 'action' | 'name' | 'load' | 'target'>;
  /** Writes over the row that was read; `users` is for an index, where there is one. */
  write: (coffer: Coffer, row: R, columns: AclColumns, users: readonly string[] | null) => Promise<void>;
}

/** The ACL of a row; null for the default, which is the access of its project. */
export async function getAcl<R extends AclRow>(
  coffer: Coffer,
  caller: Caller,
  owner: AclOwner<R>,
  id: string,
): Promise<Acl | null> {
  return await operate<Acl | null, R>(coffer, caller, {
    ...owner.on(coffer, id, owner.actions.get, `${owner.name} retrieval`),
    run: async (row) => decodeAcl(row.acl),
  });
}

export async function putAcl<R extends AclRow>(
  coffer: Coffer,
  caller: Caller,
  owner: AclOwner<R>,
  id: string,
  readBody: () => Promise<unknown>,
): Promise<void> {
  await changeAcl(coffer, caller, owner, id, readBody, replaceAcl);
}

export async function patchAcl<R extends AclRow>(
  coffer: Coffer,
  caller: Caller,
  owner: AclOwner<R>,
  id: string,
  readBody: () => Promise<unknown>,
): Promise<void> {
  await changeAcl(coffer, caller, owner, id, readBody, mergeAcl);
}

/** Back to the default. Idempotent. */
export async function deleteAcl<R extends AclRow>(
  coffer: Coffer,
  caller: Caller,
  owner: AclOwner<R>,
  id: string,
): Promise<void> {
  await operate<void, R>(coffer, caller, {
    ...owner.on(coffer, id, owner.actions.remove, `${owner.name} deletion`),
    run: async (row) => await writeAcl(coffer, owner, row, null),
  });
}

type Change = (old: Acl | null, change: AclChange, now: Date) => Acl | null;

async function changeAcl<R extends AclRow>(
  coffer: Coffer,
  caller: Caller,
  owner: AclOwner<R>,
  id: string,
  readBody: () => Promise<unknown>,
  change: Change,
): Promise<void> {
  await operate<void, R>(coffer, caller, {
    ...owner.on(coffer, id, owner.actions.change, `${owner.name} Update`),
    run: async (row) => {
      const wanted = parseAclChange(await readBody());
      await writeAcl(coffer, owner, row, change(decodeAcl(row.acl), wanted, coffer.clock.now()));
    },
  });
}

/**
 * A replacement that says nothing takes every user away. It opens nothing: what is private stays private, and
 * DELETE is the way back to the default.
 */
export const replaceAcl: Change = (old, change, now) => {
  const { projectAccess = true, users = [] } = change;
  const created = old?.created ?? now;
  if (Object.keys(change).length > 0) return { projectAccess, users, created, updated: now };
  return old?.projectAccess === false ? { ...old, users: [], updated: now } : null;
};

/** What the change does not say stays as it is. */
export const mergeAcl: Change = (old, change, now) => {
  if (Object.keys(change).length === 0) return old;
  return {
    projectAccess: change.projectAccess ?? old?.projectAccess ?? true,
    users: change.users ?? old?.users ?? [],
    created: old?.created ?? now,
    updated: now,
  };
};

async function writeAcl<R extends AclRow>(
  coffer: Coffer,
  owner: AclOwner<R>,
  row: R,
  acl: Acl | null,
): Promise<void> {
  const encoded = acl && encodeAcl(acl);
  if (sameBytes(encoded, row.acl)) return;
  const users = acl?.users.filter((user) => user !== '') ?? [];
  const columns = { acl: encoded, updated: coffer.clock.now() };
  await owner.write(coffer, row, columns, users.length === 0 ? null : users);
}

function sameBytes(one: Uint8Array | null, other: Uint8Array | null): boolean {
  if (one === null || other === null) return one === other;
  return Buffer.compare(one, other) === 0;
}
