import { type Field, boolean, decodeFields, encodeFields, list, text, time } from '../crypto/encoding.ts';
import { CofferError } from '../errors.ts';

/** The read ACL of a secret or container, as its owner's row keeps it. */
export interface Acl {
  projectAccess: boolean;
  users: readonly string[];
  created: Date;
  updated: Date;
}

/** Canonical: users sorted and each once (FORMAT.md §6). */
export function encodeAcl(acl: Acl): Uint8Array {
  const users = [...new Set(acl.users)].sort().map((user) => text(user));
  return encodeFields([boolean(acl.projectAccess), list(users), time(acl.created), time(acl.updated)]);
}

/** @throws CofferError `integrity_violation` for anything that `encodeAcl` cannot have written. */
export function decodeAcl(encoded: Uint8Array | null): Acl | null {
  if (encoded === null) return null;
  const [projectAccess, users, created, updated, ...rest] = decodeFields(encoded);
  if (
    projectAccess?.kind !== 'boolean' ||
    users?.kind !== 'list' ||
    created?.kind !== 'time' ||
    updated?.kind !== 'time' ||
    rest.length > 0
  ) {
    throw new CofferError('integrity_violation', 'Integrity Violation');
  }
  return {
    projectAccess: projectAccess.value,
    users: users.value.map(userOf),
    created: created.value,
    updated: updated.value,
  };
}

/** What the policy sees of a row's ACL. A row without one is open to its project's readers. */
export function aclTarget(encoded: Uint8Array | null): {
  projectAccess: boolean;
  readUsers: readonly string[];
} {
  const acl = decodeAcl(encoded);
  return { projectAccess: acl?.projectAccess ?? true, readUsers: acl?.users ?? [] };
}

function userOf(field: Field): string {
  if (field.kind !== 'text') throw new CofferError('integrity_violation', 'Integrity Violation');
  return field.value;
}
