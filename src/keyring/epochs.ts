import { randomUUID } from 'node:crypto';
import { isUuid } from '../crypto/encoding.ts';
import { deriveKey, generateKey, wipe } from '../crypto/envelope.ts';
import type { KekRow } from '../db/schema.ts';
import { type RowKeys, sealRowWith, verifyRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import type { CryptoBackend, MasterKeyUse, OpenKek } from './backend.ts';
import { integrityKeyContext, kekContext } from './contexts.ts';
import { type Stores, throwAway } from './stores.ts';
import type { WrapCounts } from './wrap-counts.ts';

/** What the keys of a project's epoch are opened with. */
export interface EpochParts extends Pick<RowKeys, 'installationId' | 'finishedMigration'> {
  stores: Stores;
  wraps: WrapCounts;
}

/** A KEK that is open, with the key that seals the rows of its epoch. `close` wipes both. */
export interface OpenEpoch {
  kekId: string;
  /** As the configuration names it. */
  store: string;
  kek: OpenKek;
  rowsKey: Uint8Array;
  close(): void;
}

/**
 * Opens the KEK of a row, and verifies the row by its own integrity key. The caller closes it.
 *
 * @throws CofferError `integrity_violation` unless it is the KEK of this project and epoch, as it was
 *   written; StoreAway when its store is.
 */
export async function openEpoch(
  { stores, installationId, wraps }: EpochParts,
  row: KekRow | undefined,
  projectId: string,
  epoch: bigint,
): Promise<OpenEpoch> {
  if (row === undefined || row.project_id !== projectId || row.epoch !== epoch) throw violated();
  if (!hasKeyColumns(row)) throw violated();
  // The seal covers the name of the store; that of another one opens nothing, or another row than this.
  const backend = stores.get(row.store);
  const kek = await openKek(backend, installationId, row);
  let rowsKey: Uint8Array | undefined;
  try {
    rowsKey = await unwrapRowsKey(installationId, kek, row);
    verifyRow(rowsKey, installationId, 'keks', row);
    const counted = { kind: 'kek', store: backend.store, id: row.id, projectId } as const;
    const lent = backend.counted?.keks === true ? wraps.countWraps(kek, counted) : kek;
    return asOpenEpoch(row.id, backend.store, lent, rowsKey);
  } catch (error) {
    if (rowsKey !== undefined) wipe(rowsKey);
    kek.close();
    throw error;
  }
}

/**
 * Whether opening failed for what the row says: it was altered, or names a master key of which a token has
 * several.
 */
export function isOfRow(error: unknown): boolean {
  return error instanceof CofferError && ['integrity_violation', 'configuration'].includes(error.code);
}

async function openKek(backend: CryptoBackend, installationId: Uint8Array, row: KekRow): Promise<OpenKek> {
  const context = kekContext(installationId, row.project_id, row.id, row.epoch, row.master_key_id);
  return lendKek(await backend.openKek(row.master_key_id, row.wrapped_kek, context).catch(throwAway));
}

/** One that stays in its store is away when that is. */
function lendKek(kek: OpenKek): OpenKek {
  return {
    wrap: async (key, context) => await kek.wrap(key, context).catch(throwAway),
    unwrap: async (wrapped, context) => await kek.unwrap(wrapped, context).catch(throwAway),
    close: () => kek.close(),
  };
}

async function countWrap(
  { wraps }: EpochParts,
  { store, counted }: CryptoBackend,
  id: string,
): Promise<void> {
  if (counted?.masterKeys === true) await wraps.take({ kind: 'master-key', store, id, projectId: null });
}

/** The database names the master key: one that this server does not have is one that it has not got yet. */
function throwWithoutMasterKey(error: unknown): never {
  const isMissing = error instanceof CofferError && error.code === 'integrity_violation';
  throwAway(isMissing ? new CofferError('unavailable', 'The master key in use is not in the store.') : error);
}

/**
 * The row of a KEK with the KEK wrapped under another master key of its store, sealed anew: what the KEK
 * wraps stays as it is. Neither `revision` nor `updated` changes.
 *
 * @throws CofferError `integrity_violation` for a row that does not verify; StoreAway when its store is.
 */
export async function rewrapEpoch(parts: EpochParts, row: KekRow, masterKeyId: string): Promise<KekRow> {
  const { installationId, stores } = parts;
  const open = await openEpoch(parts, row, row.project_id, row.epoch);
  try {
    const useOf = (id: string): MasterKeyUse => ({
      masterKeyId: id,
      context: kekContext(installationId, row.project_id, row.id, row.epoch, id),
    });
    const backend = stores.get(row.store);
    await countWrap(parts, backend, masterKeyId);
    const wrapped = await backend
      .rewrapKek(row.wrapped_kek, useOf(row.master_key_id), useOf(masterKeyId))
      .catch(throwWithoutMasterKey);
    const next = { ...row, master_key_id: masterKeyId, wrapped_kek: wrapped };
    return sealRowWith(open.rowsKey, parts, 'keks', next);
  } finally {
    open.close();
  }
}

/**
 * Destroys what the store keeps of a KEK outside its row, and says what came of it: `nothing` is kept of one
 * that is only what its row says; what is kept is `unknown` where the row does not open, or is of a store
 * that the configuration does not name.
 *
 * @throws StoreAway when the store is away.
 */
export async function destroyKek(
  { stores, installationId }: EpochParts,
  row: KekRow,
): Promise<'destroyed' | 'nothing' | 'unknown'> {
  const backend = hasKeyColumns(row) ? stores.find(row.store) : undefined;
  if (backend === undefined) return 'unknown';
  const context = kekContext(installationId, row.project_id, row.id, row.epoch, row.master_key_id);
  try {
    const isKept = await backend.destroyKek(row.master_key_id, row.wrapped_kek, context);
    return isKept ? 'destroyed' : 'nothing';
  } catch (error) {
    if (error instanceof CofferError && error.code === 'integrity_violation') return 'unknown';
    throwAway(error);
  }
}

/**
 * A new KEK and its integrity key, wrapped and in a sealed row. The caller wipes `rowsKey`, and destroys the
 * KEK when its row is not written.
 */
export async function makeEpoch(
  parts: EpochParts,
  { store, masterKeyId }: { store: string; masterKeyId: string },
  projectId: string,
  epoch: bigint,
  created: Date,
): Promise<{ kekRow: KekRow; rowsKey: Uint8Array }> {
  const { installationId } = parts;
  const backend = parts.stores.get(store);
  const id = randomUUID();
  const context = kekContext(installationId, projectId, id, epoch, masterKeyId);
  await countWrap(parts, backend, masterKeyId);
  const { wrapped, kek: made } = await backend.createKek(masterKeyId, context).catch(throwWithoutMasterKey);
  const kek = lendKek(made);
  const integrityKey = generateKey();
  try {
    const integrityContext = integrityKeyContext(installationId, projectId, id, epoch);
    const wrappedIntegrityKey = await kek.wrap(integrityKey, integrityContext);
    const rowsKey = deriveKey(integrityKey, 'rows');
    const kekRow = sealRowWith(rowsKey, parts, 'keks', {
      id,
      project_id: projectId,
      store: backend.store,
      master_key_id: masterKeyId,
      wrapped_kek: wrapped,
      wrapped_integrity_key: wrappedIntegrityKey,
      created,
      updated: created,
      revision: 1n,
      epoch,
    });
    return { kekRow, rowsKey };
  } catch (error) {
    await discard(async () => await backend.destroyKek(masterKeyId, wrapped, context));
    throw error;
  } finally {
    wipe(integrityKey);
    kek.close();
  }
}

/** Takes back what nothing rests on. What stays of it, in a store that is away, `findOrphans` finds. */
export async function discard(destroy: () => Promise<unknown>): Promise<void> {
  try {
    await destroy();
  } catch (error) {
    if (!(error instanceof CofferError)) throw error;
  }
}

async function unwrapRowsKey(installationId: Uint8Array, kek: OpenKek, row: KekRow): Promise<Uint8Array> {
  const context = integrityKeyContext(installationId, row.project_id, row.id, row.epoch);
  const integrityKey = await kek.unwrap(row.wrapped_integrity_key, context);
  try {
    return deriveKey(integrityKey, 'rows');
  } finally {
    wipe(integrityKey);
  }
}

function asOpenEpoch(kekId: string, store: string, kek: OpenKek, rowsKey: Uint8Array): OpenEpoch {
  const close = (): void => {
    kek.close();
    wipe(rowsKey);
  };
  return { kekId, store, kek, rowsKey, close };
}

/** Its columns are used before its seal can be verified, and the database may answer NULL or another type. */
export function hasKeyColumns(row: KekRow): boolean {
  const { id, store, master_key_id, wrapped_kek, wrapped_integrity_key } = row;
  const isKey = (value: unknown): boolean => value instanceof Uint8Array;
  return (
    isUuid(id) &&
    typeof store === 'string' &&
    typeof master_key_id === 'string' &&
    isKey(wrapped_kek) &&
    isKey(wrapped_integrity_key)
  );
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
