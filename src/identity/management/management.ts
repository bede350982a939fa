import type { PasswordHasher } from '../../crypto/password.ts';
import type { RevisionMemory } from '../../db/revisions.ts';
import type { SealedRows, SealedTable } from '../../db/schema.ts';
import { openRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import type { IdentityAction, IdentityTarget } from '../../policy/rules-identity.ts';
import { type IdentityParts, type KnownUser, readNewest } from '../rights.ts';
import { isId, missing } from '../rows.ts';

/** Management on behalf of somebody: of a request's actor, or of the operator at the command line. */
export interface Management extends IdentityParts {
  memory: RevisionMemory;
  passwords: PasswordHasher;
  /** @throws CofferError `forbidden` when whoever asks may not. */
  require(action: IdentityAction, target?: IdentityTarget): void;
  /** Counts a row that did not verify and was left out of a list. */
  leaveOut(table: SealedTable): void;
}

/** What a request says, read once the right to say it is there; the same each time. */
export type Read<T> = () => Promise<T>;

/** A user with all assignments, and what the rules look at; undefined where there is none of that id. */
export async function readTarget(
  management: Management,
  userId: string,
): Promise<{ known: KnownUser; target: IdentityTarget } | undefined> {
  if (!isId(userId)) return undefined;
  const known = await readNewest(management, management.memory, userId, null);
  if (known === undefined) return undefined;
  const heldRoles = [...known.roles.values()].map(({ name }) => name);
  return { known, target: { domainId: known.user.domain_id, userId, heldRoles } };
}

/** Asks for the right before it tells that there is no such user. @throws CofferError `not_found`. */
export async function getTarget(
  management: Management,
  action: IdentityAction,
  userId: string,
): Promise<KnownUser> {
  const found = await readTarget(management, userId);
  management.require(action, found?.target ?? {});
  return found?.known ?? missing('user', userId);
}

/** The rows of a list that verify; the others are left out and counted. */
export async function openGenuine<T extends SealedTable>(
  management: Management,
  table: T,
  rows: readonly SealedRows[T][],
  asked: Partial<SealedRows[T]> = {},
): Promise<SealedRows[T][]> {
  const opened = await Promise.all(
    rows.map(async (row) => {
      return await orLeftOut(
        management,
        table,
        async () => await openRow(management.keyring, table, asked, row),
      );
    }),
  );
  return opened.flat();
}

export async function orLeftOut<T>(
  management: Management,
  table: SealedTable,
  open: () => Promise<T>,
): Promise<T[]> {
  try {
    return [await open()];
  } catch (error) {
    if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
    management.leaveOut(table);
    return [];
  }
}
