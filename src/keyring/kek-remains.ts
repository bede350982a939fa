import { SUITES } from '../crypto/envelope.ts';
import type { KekRow } from '../db/schema.ts';
import { StoreAway } from '../errors.ts';
import { destroyKek, type EpochParts, isOfRow, openEpoch } from './epochs.ts';

/** Said of KEKs whose rows go, and do not tell what a token keeps of them. */
export const UNKNOWN_REMAINS =
  'rows of KEKs go that do not open, or are of a store that is not configured: `coffer hsm orphans` finds what a token keeps of them';

/** Stores in which objects may be left of KEKs whose rows are gone. */
export interface KekRemains {
  /** Those that rows of objects name, and the configuration does not. */
  unreached: readonly string[];
  /** Those with objects, when a row did not open or was missing: the database may have altered all of it. */
  unproven: readonly string[];
}

/** Whether a row says that it has the name of an object (FORMAT.md §2.5), and no key. */
export function isReference({ wrapped_kek: wrapped }: KekRow): boolean {
  return wrapped instanceof Uint8Array && wrapped[0] === SUITES.tokenKeyReference;
}

/**
 * Destroys the objects of KEKs once more, by rows that were read before they went, and gives the stores of
 * which that does not prove that nothing is left. `isWhole` says that no row was missing.
 */
export async function findRemains(
  parts: EpochParts,
  rows: readonly KekRow[],
  isWhole: boolean,
): Promise<KekRemains> {
  const { stores } = parts;
  const unreached = new Set<string>();
  const withObjects = stores.names.filter((name) => stores.get(name).objects !== undefined);
  let allProven = isWhole;
  for (const row of rows) {
    if (isReference(row) && stores.find(row.store) === undefined) unreached.add(row.store);
    else if (withObjects.length > 0 && !(await isProven(parts, row))) allProven = false;
  }
  return { unreached: [...unreached], unproven: allProven ? [] : withObjects };
}

/** A key that opens is no object, whatever else the row says; one that cannot be asked about may be one. */
async function isProven(parts: EpochParts, row: KekRow): Promise<boolean> {
  try {
    if ((await destroyKek(parts, row)) === 'destroyed') return true;
    (await openEpoch(parts, row, row.project_id, row.epoch)).close();
    return true;
  } catch (error) {
    if (!isOfRow(error) && !(error instanceof StoreAway)) throw error;
    return false;
  }
}
