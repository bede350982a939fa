import { updateRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { announce } from './administration.ts';
import { untilCurrent } from './assignments.ts';
import { type IdentityParts, readUser } from './rights.ts';
import { getProjectById } from './rows.ts';
import { nextValidFrom } from './valid-from.ts';

/** Ends all tokens of a user on every server within 5 s. @throws CofferError `not_found`. */
export async function endTokensOfUser(parts: IdentityParts, userId: string): Promise<void> {
  const { db, keyring, clock } = parts;
  await untilCurrent(async () => {
    const user = (await readUser(parts, userId, null))?.user;
    if (user === undefined) throw new CofferError('not_found', 'There is no such user.');
    const updated = clock.now();
    const tokens_valid_from = nextValidFrom(updated, user.tokens_valid_from);
    await db.transaction(async (tx) => {
      await updateRow(tx, keyring, 'users', user, { tokens_valid_from, updated });
      await announce(tx);
    });
  });
}

/** Ends all tokens for a project on every server within 5 s. @throws CofferError `not_found`. */
export async function endTokensOfProject(parts: IdentityParts, projectId: string): Promise<void> {
  const { db, keyring, clock } = parts;
  await untilCurrent(async () => {
    const project = await getProjectById(parts, projectId);
    const updated = clock.now();
    const tokens_valid_from = nextValidFrom(updated, project.tokens_valid_from);
    await db.transaction(async (tx) => {
      await updateRow(tx, keyring, 'projects', project, { tokens_valid_from, updated });
      await announce(tx);
    });
  });
}
