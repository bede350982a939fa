import type { Coffer } from '../coffer.ts';
import { sealingProject } from '../db/layouts.ts';
import type { SealedRows, SealedTable } from '../db/schema.ts';
import { moveRows, openRow, sealRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { ENVELOPES } from '../keyring/envelopes.ts';
import { listRowsBelow } from './queries.ts';

export type RotationParts = Pick<Coffer, 'db' | 'keyring' | 'clock' | 'log' | 'integrityViolations'>;

export interface Move {
  projectId: string;
  /** Rows of epochs below this one move. */
  below: bigint;
  /** The epoch that they move to. */
  to: bigint;
}

/** What a batch came to. `after` is where the next one begins; null after the last. */
export interface Batch {
  rewrapped: number;
  damaged: number;
  after: string | null;
}

/**
 * Moves a few rows of a table to another epoch: each DEK is wrapped anew, each row sealed anew, no payload is
 * decrypted, and neither `revision` nor `updated` changes. A row that changed meanwhile is left to a later
 * batch; one that does not verify stays, and is counted.
 */
export async function rewrapBatch(
  parts: RotationParts,
  table: SealedTable,
  { projectId, below, to }: Move,
  { after, limit }: { after: string | null; limit: number },
): Promise<Batch> {
  const rows = await listRowsBelow(parts.db, table, projectId, below, { after, limit });
  const moved = await Promise.all(
    rows.map(async (row) => {
      try {
        return [{ old: row, next: await rewrapRow(parts, table, row, to) }];
      } catch (error) {
        if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
        parts.integrityViolations.count(table, 'rotation');
        return [];
      }
    }),
  );
  const pairs = moved.flat();
  const rewrapped = await moveRows(parts.db, table, projectId, to, pairs);
  const last = rows.at(-1)?.id ?? null;
  return { rewrapped, damaged: rows.length - pairs.length, after: rows.length < limit ? null : last };
}

async function rewrapRow<T extends SealedTable>(
  { keyring }: RotationParts,
  table: T,
  row: SealedRows[T],
  to: bigint,
): Promise<SealedRows[T]> {
  await openRow(keyring, table, {}, row);
  const kind = ENVELOPES[table];
  const { dek, id } = row as { dek?: Uint8Array | null; id: string };
  const changes =
    kind === undefined || dek === null || dek === undefined
      ? {}
      : { dek: await keyring.rewrapDek(kind, sealingProject(table, row), id, { dek, from: row.epoch, to }) };
  return await sealRow(keyring, table, { ...row, ...changes, epoch: to });
}
