import type { KekRow } from '../db/schema.ts';
import { isOfRow, openEpoch } from '../keyring/epochs.ts';
import * as queries from './kek-queries.ts';
import type { RotationParts } from './rewrap.ts';

/** A KEK that does not open: whose it is, as its row says. */
export interface FailedKek {
  projectId: string;
  epoch: bigint;
  masterKeyId: string;
  /** Where the configuration does not name it. */
  unknownStore?: string;
}

/** The KEKs that a rotation leaves alone for what their rows say. */
interface Rest {
  stores: readonly string[];
  under: string;
  /** Ids of those that it moved itself. */
  moved: ReadonlySet<string>;
}

export const KEKS_AT_ONCE = 8;
export const KEKS_A_PAGE = 256;

/**
 * The KEKs that the rotation of a master key did not move, and that are not what their rows say: whoever
 * writes to the database can have one pass for moved, or be of a store that nobody knows. Each is opened
 * once. One that is said to be of another store is met by the rotation there, and all by a retirement.
 */
export async function checkRest(
  parts: RotationParts,
  { stores, under, moved }: Rest,
  { signal, onChecked }: { signal: AbortSignal; onChecked: (checked: number, total: number) => void },
): Promise<FailedKek[]> {
  const { db, keyring } = parts;
  const failed: FailedKek[] = [];
  const left: string[] = [];
  let after: string | null = null;
  do {
    const page: KekRow[] = await queries.listAllKeks(db, after, KEKS_A_PAGE);
    after = page.length < KEKS_A_PAGE ? null : (page.at(-1)?.id ?? null);
    for (const row of page) {
      if (keyring.stores.find(row.store) === undefined) failed.push(tellFailed(parts, row, row.store));
      else if (stores.includes(row.store) && row.master_key_id === under && !moved.has(row.id))
        left.push(row.id);
    }
  } while (after !== null && !signal.aborted);
  for (let checked = 0; checked < left.length && !signal.aborted; ) {
    const some = left.slice(checked, checked + KEKS_AT_ONCE);
    const closed = await Promise.all(some.map(async (id) => await findClosed(parts, id)));
    failed.push(...closed.flatMap((row) => (row === undefined ? [] : [tellFailed(parts, row)])));
    checked += some.length;
    onChecked(checked, left.length);
  }
  return failed;
}

/** Its row, as it is now, if it does not open. */
async function findClosed({ db, keyring }: RotationParts, id: string): Promise<KekRow | undefined> {
  const row = await queries.findKekById(db, id);
  if (row === undefined) return undefined;
  try {
    (await openEpoch(keyring, row, row.project_id, row.epoch)).close();
    return undefined;
  } catch (error) {
    if (!isOfRow(error)) throw error;
    return row;
  }
}

/** Counts and logs it. */
export function tellFailed(
  { integrityViolations, log }: RotationParts,
  { project_id: projectId, epoch, master_key_id: masterKeyId }: KekRow,
  unknownStore?: string,
): FailedKek {
  const of = { project: projectId, epoch: Number(epoch), masterKey: masterKeyId };
  if (unknownStore !== undefined) {
    log.error({ ...of, store: unknownStore }, 'a KEK is of a store that is not configured');
    return { projectId, epoch, masterKeyId, unknownStore };
  }
  integrityViolations.count('keks', 'rotation');
  log.error(of, 'a KEK does not open');
  return { projectId, epoch, masterKeyId };
}
