import type { Db } from '../db/open.ts';
import type { KekRow } from '../db/schema.ts';
import { StoreAway } from '../errors.ts';
import type { KekObjects } from './backend.ts';
import { kekContext } from './contexts.ts';
import { type EpochParts, hasKeyColumns, isOfRow, openEpoch } from './epochs.ts';
import { listKeksAfter } from './queries.ts';
import { NEW_KEK_MS_MAX } from './project-epochs.ts';

/**
 * How long after an object was seen its row is there, if it ever will be: a server gives the row up after the
 * first part, and PostgreSQL a transaction that idles after ten seconds.
 */
export const ORPHAN_WAIT_MS = NEW_KEK_MS_MAX + 15_000;

/** What a store keeps of KEKs, against the rows of them. */
export interface Orphans {
  store: string;
  objects: KekObjects;
  /** How many objects are KEKs. */
  there: number;
  /** Objects that no row names. */
  orphans: readonly string[];
  /** KEKs whose rows do not open here: whichever object they name would be taken for an orphan. */
  unreadable: readonly string[];
}

const ROWS_AT_ONCE = 500;

/**
 * Objects of stores that no KEK's row names: made for a row that was never written, or left when their store
 * was not configured. Objects are listed first, and rows read after `wait`, so that a key which is being made
 * meanwhile is not among them. Another installation on the same token, or a copy of this one, has its own.
 */
export async function findOrphans(db: Db, parts: EpochParts, wait: () => Promise<void>): Promise<Orphans[]> {
  const { stores } = parts;
  const backends = stores.names.map((name) => stores.get(name));
  const seen: { store: string; objects: KekObjects; ids: string[] }[] = [];
  for (const { store, objects } of backends) {
    if (objects !== undefined) seen.push({ store, objects, ids: await objects.list() });
  }
  if (seen.length > 0) await wait();
  const found: Orphans[] = [];
  for (const { store, objects, ids } of seen) {
    const left = new Set(ids);
    const unreadable: string[] = [];
    for (let after: string | null = null; ; ) {
      const rows = await listKeksAfter(db, after, ROWS_AT_ONCE);
      for (const row of rows) {
        const id = await idOf(parts, { store, objects }, row);
        if (id === null) unreadable.push(row.id);
        else if (id !== undefined) left.delete(id);
      }
      after = rows.at(-1)?.id ?? null;
      if (rows.length < ROWS_AT_ONCE) break;
    }
    found.push({ store, objects, there: ids.length, orphans: [...left].sort(), unreadable });
  }
  return found;
}

/**
 * Null for a row that does not open: whoever writes to the database can have it name another store, or no
 * object, and so can a configuration in which its store has another name.
 */
async function idOf(
  parts: EpochParts,
  { store, objects }: { store: string; objects: KekObjects },
  row: KekRow,
): Promise<string | null | undefined> {
  if (!hasKeyColumns(row)) return null;
  if (parts.stores.find(row.store)?.store !== store) return (await opens(parts, row)) ? undefined : null;
  const { project_id: projectId, master_key_id: masterKeyId } = row;
  const context = kekContext(parts.installationId, projectId, row.id, row.epoch, masterKeyId);
  try {
    const id = await objects.idOf(masterKeyId, row.wrapped_kek, context);
    return id !== undefined || (await opens(parts, row)) ? id : null;
  } catch (error) {
    if (!isOfRow(error)) throw error;
    return null;
  }
}

async function opens(parts: EpochParts, row: KekRow): Promise<boolean> {
  try {
    (await openEpoch(parts, row, row.project_id, row.epoch)).close();
    return true;
  } catch (error) {
    if (!isOfRow(error) && !(error instanceof StoreAway)) throw error;
    return false;
  }
}
