import type { Coffer } from '../coffer.ts';
import { sealingProject } from '../db/layouts.ts';
import type { SealedRows, SealedTable } from '../db/schema.ts';
import { type Change, openRow, sealRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { ENVELOPES } from '../keyring/envelopes.ts';
import type { Stores } from '../keyring/stores.ts';

export type RotationParts = Pick<Coffer, 'db' | 'keyring' | 'clock' | 'log' | 'integrityViolations'>;

/** Rows as they were read and as they are to be; `damaged` ones do not verify and stay as they are. */
export interface Rewrapped {
  changes: readonly Change<SealedTable>[];
  damaged: number;
}

/**
 * Makes rows those of another epoch: each DEK is wrapped anew, each row sealed anew, no payload is decrypted,
 * and neither `revision` nor `updated` changes. One that does not verify is left out, and counted.
 */
export async function rewrapRows(
  parts: RotationParts,
  table: SealedTable,
  rows: readonly SealedRows[SealedTable][],
  to: bigint,
): Promise<Rewrapped> {
  // In the order of the rows, as nodes that work side by side lock them.
  const rewrapped: Change<SealedTable>[][] = rows.map(() => []);
  await eachOf([...rows.entries()], atOnceOf(parts.keyring.stores), async ([index, row]) => {
    try {
      rewrapped[index] = [{ old: row, next: await rewrapRow(parts, table, row, to) }];
    } catch (error) {
      if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
      parts.integrityViolations.count(table, 'rotation');
    }
  });
  const changes = rewrapped.flat();
  return { changes, damaged: rows.length - changes.length };
}

/** A row's old KEK, and its new one, may be in any store. */
function atOnceOf(stores: Stores): number {
  return Math.min(...stores.names.map((name) => stores.get(name).wrapsAtOnce ?? Number.POSITIVE_INFINITY));
}

/** After a failure it begins no other. */
async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  let hasFailed = false;
  const go = async (): Promise<void> => {
    for (const item of left) {
      if (hasFailed) return;
      try {
        await work(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, go));
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
