import { CofferError } from '../errors.ts';
import type { SealedTable } from './schema.ts';

const ENTRIES_MAX = 100_000;

/**
 * The highest revision that this server has seen of each row that gives rights: an older genuine row is
 * refused.
 */
export interface RevisionMemory {
  /** Whether the row is older than one that was seen before; remembers it otherwise. */
  isOlder(table: SealedTable, row: { id: string; revision: bigint }): boolean;
  /** @throws CofferError `integrity_violation` for a row older than one that was seen before. */
  check(table: SealedTable, row: { id: string; revision: bigint }): void;
}

/** Bounded: past 100,000 rows the one not seen for longest is forgotten. */
export function createRevisionMemory(): RevisionMemory {
  const seen = new Map<string, bigint>();
  const isOlder: RevisionMemory['isOlder'] = (table, { id, revision }) => {
    const key = `${table}/${id}`;
    if (revision < (seen.get(key) ?? 0n)) return true;
    seen.delete(key);
    seen.set(key, revision);
    const oldest = seen.keys().next().value;
    if (seen.size > ENTRIES_MAX && oldest !== undefined) seen.delete(oldest);
    return false;
  };
  return {
    isOlder,
    check: (table, row) => {
      if (isOlder(table, row)) throw new CofferError('integrity_violation', 'Integrity Violation');
    },
  };
}
