import { SYSTEM_PROJECT } from '../db/layouts.ts';
import type { KekRow, ProjectRow } from '../db/schema.ts';
import { holdRows, StaleRow, swapRow, updateRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import type { CryptoBackend } from '../keyring/backend.ts';
import { isOfRow, rewrapEpoch } from '../keyring/epochs.ts';
import { activeMasterKey, findStoreMasterKeys, withStoreMasterKeys } from '../keyring/store-master-keys.ts';
import { checkRest, type FailedKek, KEKS_A_PAGE, KEKS_AT_ONCE, tellFailed } from './kek-check.ts';
import * as queries from './kek-queries.ts';
import type { RotationParts } from './rewrap.ts';

export interface MasterKeyRotation {
  store: string;
  /** The master key that KEKs are under from now on. */
  to: string;
}

export interface MovedKeks {
  moved: number;
  /** Those that do not open, also where their rows say that they are moved: they stay as they are. */
  failed: readonly FailedKek[];
}

export interface RotationWatch {
  signal: AbortSignal;
  onProgress: (moved: number, total: number) => void;
  /** Of those that are said to be moved, and are opened to see whether they are; not called for none. */
  onChecked?: (checked: number, total: number) => void;
}

const ATTEMPTS_MAX = 20;

/**
 * Has a store's KEKs be under another of its master keys: first, in the system's sealed row, those that are
 * made from now on, on every server; then, one row a transaction, those that there are. No key of a project
 * changes, and nothing beyond its KEK is opened. Cut off anywhere, the next call goes on; several at once
 * move each KEK once.
 *
 * @throws CofferError `not_found` for a master key that the store does not have; `conflict` for one that is
 *   retired, or when another rotation goes elsewhere; `unavailable` when the store or the database is away.
 */
export async function rotateMasterKey(
  parts: RotationParts,
  rotation: MasterKeyRotation,
  { signal, onProgress, onChecked = () => {} }: RotationWatch,
): Promise<MovedKeks> {
  const { db, keyring } = parts;
  const backend = keyring.stores.get(rotation.store);
  await useMasterKey(parts, backend, rotation.to);
  const wanted = { stores: keyring.stores.namesOf(backend), notUnder: rotation.to };
  const total = await queries.countKeksToMove(db, wanted);
  const failed: FailedKek[] = [];
  const moved = new Set<string>();
  let after: string | null = null;
  onProgress(0, total);
  do {
    const page: KekRow[] = await queries.listKeksToMove(db, wanted, { after, limit: KEKS_A_PAGE });
    after = page.length < KEKS_A_PAGE ? null : (page.at(-1)?.id ?? null);
    while (page.length > 0 && !signal.aborted) {
      const some = page.splice(0, KEKS_AT_ONCE);
      const outcomes = await Promise.all(
        some.map(async (row) => ({ id: row.id, end: await tryMove(parts, backend, rotation, row) })),
      );
      failed.push(...outcomes.flatMap(({ end }) => (typeof end === 'object' ? [end] : [])));
      for (const { id, end } of outcomes) if (end === 'moved') moved.add(id);
      onProgress(moved.size, total);
    }
  } while (after !== null && !signal.aborted);
  const rest = { stores: wanted.stores, under: rotation.to, moved };
  failed.push(...(await checkRest(parts, rest, { signal, onChecked })));
  return { moved: moved.size, failed };
}

/** From now on every server makes its KEKs in this store under this master key. */
async function useMasterKey(parts: RotationParts, backend: CryptoBackend, to: string): Promise<void> {
  const { keyring, db, clock } = parts;
  const { stores } = keyring;
  if (!(await backend.listMasterKeys()).includes(to)) {
    throw new CofferError(
      'not_found',
      `The store ${backend.store} has no master key ${to}. See: coffer master-key list`,
    );
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const system = await readSystem(parts);
    const known = findStoreMasterKeys(system, stores, backend);
    if (known?.retired.includes(to) === true) {
      throw new CofferError('conflict', `The master key ${to} is retired.`);
    }
    if (known?.activeId === to) return;
    const master_keys = withStoreMasterKeys(system, stores, backend, { activeId: to });
    try {
      await updateRow(db, keyring, 'projects', system, { master_keys, updated: clock.now() });
      parts.log.info({ store: backend.store, masterKey: to }, 'new KEKs are made under this master key');
      return;
    } catch (error) {
      if (!(error instanceof StaleRow)) throw error;
    } finally {
      keyring.forgetProject(SYSTEM_PROJECT);
    }
  }
  throw new CofferError('unavailable', 'The system is being changed; try again.', { retryAfterSeconds: 1 });
}

/** The system's row as it is now. */
export async function readSystem({ keyring }: Pick<RotationParts, 'keyring'>): Promise<ProjectRow> {
  keyring.forgetProject(SYSTEM_PROJECT);
  return await keyring.system();
}

/** A KEK that does not open is told; one that is gone, or is there already, is nobody's matter. */
async function tryMove(
  parts: RotationParts,
  backend: CryptoBackend,
  rotation: MasterKeyRotation,
  row: KekRow,
): Promise<'moved' | 'done' | FailedKek> {
  try {
    return await move(parts, backend, rotation, row);
  } catch (error) {
    if (!isOfRow(error)) throw error;
    return tellFailed(parts, row);
  }
}

async function move(
  parts: RotationParts,
  backend: CryptoBackend,
  { to }: MasterKeyRotation,
  first: KekRow,
): Promise<'moved' | 'done'> {
  const { db, keyring } = parts;
  let row: KekRow | undefined = first;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    if (row === undefined || row.master_key_id === to) return 'done';
    const old: KekRow = row;
    const system = await keyring.system();
    if (activeMasterKey(system, keyring.stores, backend) !== to) {
      throw new CofferError('conflict', 'Another rotation of this store goes to another master key.');
    }
    const next = await rewrapEpoch(keyring, old, to);
    try {
      await db.transaction(async (tx) => {
        await holdRows(tx, [{ table: 'projects', row: system }]);
        await swapRow(tx, 'keks', old, next);
      });
      return 'moved';
    } catch (error) {
      if (!(error instanceof StaleRow)) throw error;
      keyring.forgetProject(SYSTEM_PROJECT);
      row = await queries.findKekById(db, old.id);
    }
  }
  throw new CofferError('unavailable', 'A KEK is being changed; try again.', { retryAfterSeconds: 1 });
}
