import type { Coffer } from '../coffer.ts';
import type { RoleRow } from '../db/schema.ts';
import { openRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { listRoles } from './queries.ts';

const AGE_MAX_MS = 5_000;

/**
 * The roles there are, at most 5 s old: for the ids of implied ones in the description of a token, which
 * decide nothing. A damaged row is left out, or nobody could log in.
 */
export function createRoleList(coffer: Coffer): () => Promise<readonly RoleRow[]> {
  let known: { roles: Promise<readonly RoleRow[]>; expires: number } | undefined;
  return async () => {
    if (known !== undefined && known.expires > performance.now()) return await known.roles;
    const entry = { roles: readGenuineRoles(coffer), expires: performance.now() + AGE_MAX_MS };
    known = entry;
    try {
      return await entry.roles;
    } catch (error) {
      if (known === entry) known = undefined;
      throw error;
    }
  };
}

async function readGenuineRoles({ db, keyring, integrityViolations }: Coffer): Promise<readonly RoleRow[]> {
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
