import { randomUUID } from 'node:crypto';
import { deleteRow, insertRow, sealRow, updateRow } from '../../src/db/sealed.ts';
import { IDENTITY_CHANNEL } from '../../src/db/channels.ts';
import { getRole } from '../../src/identity/administration.ts';
import { digestAssignments, readUser } from '../../src/identity/rights.ts';
import type { StartedCoffer } from '../harness/start-coffer.ts';

/** Gives a user a role in the domain or in the system. */
export async function grant(
  { installation }: StartedCoffer,
  userId: string,
  scopeKind: 'domain' | 'system',
  roleName: string,
): Promise<void> {
  const { db, keyring } = installation;
  const parts = { db, keyring, clock: { now: () => new Date() } };
  const known = await readUser(parts, userId, null);
  if (known === undefined) throw new Error('there is no such user');
  const id = randomUUID();
  const now = parts.clock.now();
  const assignment = await sealRow(keyring, 'role_assignments', {
    id,
    user_id: userId,
    scope_kind: scopeKind,
    scope_id: scopeKind === 'domain' ? 'default' : 'system',
    role_id: (await getRole(parts, roleName)).id,
    created: now,
    updated: now,
    revision: 1n,
    epoch: known.user.epoch,
  });
  await db.transaction(async (tx) => {
    const ids = [...known.assignments.map((one) => one.id), id];
    await updateRow(tx, keyring, 'users', known.user, { assignments_digest: digestAssignments(ids) });
    await insertRow(tx, 'role_assignments', assignment);
    await tx.query({ text: `NOTIFY ${IDENTITY_CHANNEL}` });
  });
}

/** Takes all roles of a user, without telling anybody. */
export async function withdrawAll({ installation }: StartedCoffer, userId: string): Promise<void> {
  const { db, keyring } = installation;
  const known = await readUser({ db, keyring, clock: { now: () => new Date() } }, userId, null);
  if (known === undefined) throw new Error('there is no such user');
  await db.transaction(async (tx) => {
    await updateRow(tx, keyring, 'users', known.user, { assignments_digest: digestAssignments([]) });
    for (const assignment of known.assignments) await deleteRow(tx, 'role_assignments', assignment);
  });
}
