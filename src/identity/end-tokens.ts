import type { SealedRows } from '../db/schema.ts';
import { type NewRow, openRow, updateRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { announce } from './administration.ts';
import { findCredential } from './applications/credential-queries.ts';
import { untilCurrent } from './assignments.ts';
import { type IdentityParts, readUser } from './rights.ts';
import { getProjectById } from './rows.ts';
import { nextValidFrom } from './valid-from.ts';

/** Ends all tokens of a user on every server within 5 s. @throws CofferError `not_found`. */
export async function endTokensOfUser(parts: IdentityParts, userId: string): Promise<void> {
  await endTokens(parts, 'users', async () => (await readUser(parts, userId, null))?.user);
}

/** Ends all tokens for a project on every server within 5 s. @throws CofferError `not_found`. */
export async function endTokensOfProject(parts: IdentityParts, projectId: string): Promise<void> {
  await endTokens(parts, 'projects', async () => await getProjectById(parts, projectId));
}

/** Ends all tokens of an application credential within 5 s. @throws CofferError `not_found`. */
export async function endTokensOfApplication(parts: IdentityParts, id: string): Promise<void> {
  await endTokens(parts, 'application_credentials', async () => {
    const row = await findCredential(parts.db, id);
    return row && (await openRow(parts.keyring, 'application_credentials', { id }, row));
  });
}

async function endTokens<T extends 'users' | 'projects' | 'application_credentials'>(
  { db, keyring, clock }: IdentityParts,
  table: T,
  read: () => Promise<SealedRows[T] | undefined>,
): Promise<void> {
  await untilCurrent(async () => {
    const row = await read();
    if (row === undefined)
      throw new CofferError('not_found', 'There is no such user, project or credential.');
    const updated = clock.now();
    const tokens_valid_from = nextValidFrom(updated, row.tokens_valid_from);
    const changes: Partial<NewRow<'users'>> = { tokens_valid_from, updated };
    await db.transaction(async (tx) => {
      await updateRow(tx, keyring, table, row, changes as Partial<NewRow<T>>);
      await announce(tx);
    });
  });
}
