import { CofferError } from '../errors.ts';
import { sealingProject } from './layouts.ts';
import type { SealedRows, SealedTable } from './schema.ts';
import { isAsked, type RowKeys, verifyRow } from './sealed.ts';

/**
 * Accepts those of many rows that `openRow` would accept, in their order: for lists on which nothing is
 * decided. A key is borrowed once for all of its rows. `leaveOut` is given the reason of each other row, and
 * throws it where the list is to fail.
 */
export async function openRows<T extends SealedTable>(
  keys: RowKeys,
  table: T,
  asked: Partial<SealedRows[T]>,
  rows: readonly unknown[],
  leaveOut: (reason: unknown) => void,
): Promise<SealedRows[T][]> {
  const accepted = new Set<unknown>();
  const { groups, others } = groupByKey(table, asked, rows);
  for (const _ of others) leaveOut(violated());
  const opening = groups.map(async ({ project, epoch, members }) => {
    try {
      await keys.withRowsKey(project, epoch, (key) => {
        for (const row of members) if (verifies(key, keys, table, row)) accepted.add(row);
      });
    } catch (error) {
      return members.map(() => error);
    }
    return members.filter((row) => !accepted.has(row)).map(violated);
  });
  for (const reason of (await Promise.all(opening)).flat()) leaveOut(reason);
  return rows.filter((row): row is SealedRows[T] => accepted.has(row));
}

interface KeyGroup<T extends SealedTable> {
  project: string;
  epoch: bigint;
  members: SealedRows[T][];
}

/** The rows by their keys, beside those that are not what was asked for. */
function groupByKey<T extends SealedTable>(
  table: T,
  asked: Partial<SealedRows[T]>,
  rows: readonly unknown[],
): { groups: KeyGroup<T>[]; others: unknown[] } {
  const others: unknown[] = [];
  const groups = new Map<string, KeyGroup<T>>();
  for (const row of rows) {
    if (!isAsked<T>(row, asked)) {
      others.push(row);
      continue;
    }
    const [project, { epoch }] = [sealingProject(table, row), row];
    const group = groups.get(`${epoch}/${project}`);
    if (group === undefined) groups.set(`${epoch}/${project}`, { project, epoch, members: [row] });
    else group.members.push(row);
  }
  return { groups: [...groups.values()], others };
}

function verifies<T extends SealedTable>(
  key: Uint8Array,
  { installationId }: RowKeys,
  table: T,
  row: SealedRows[T],
): boolean {
  try {
    verifyRow(key, installationId, table, row);
    return true;
  } catch (error) {
    if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
    return false;
  }
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
