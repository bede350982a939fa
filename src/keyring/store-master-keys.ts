import { decodeFields, encodeFields, list, text } from '../crypto/encoding.ts';
import type { KekRow, ProjectRow } from '../db/schema.ts';
import { CofferError } from '../errors.ts';
import type { CryptoBackend } from './backend.ts';
import { type Stores, throwAway } from './stores.ts';

/** What a rotation has the system's sealed row say of a store's master keys, for every server. */
export interface StoreMasterKeys {
  store: string;
  /** The one that new KEKs are wrapped under. */
  activeId: string;
  /** Under these no KEK is made or opened ever again. */
  retired: readonly string[];
}

/** Canonical: a list of (store, active id, list of retired ids), all sorted (FORMAT.md §6). */
function encodeMasterKeys(all: readonly StoreMasterKeys[]): Uint8Array {
  const sorted = all.toSorted((a, b) => (a.store < b.store ? -1 : 1));
  return encodeFields(
    sorted.map(({ store, activeId, retired }) =>
      list([text(store), text(activeId), list(retired.toSorted().map((id) => text(id)))]),
    ),
  );
}

/** @throws CofferError `integrity_violation` for anything that `encodeMasterKeys` cannot have written. */
function decodeMasterKeys(encoded: Uint8Array | null): StoreMasterKeys[] {
  if (encoded === null) return [];
  return decodeFields(encoded).map((entry) => {
    const [store, active, retired] = entry.kind === 'list' ? entry.value : [];
    if (store?.kind !== 'text' || active?.kind !== 'text' || retired?.kind !== 'list') throw violated();
    const ids = retired.value.map((id) => {
      if (id.kind !== 'text') throw violated();
      return id.value;
    });
    return { store: store.value, activeId: active.value, retired: ids };
  });
}

/** What the system's row says of a backend; undefined until its first rotation. */
export function findStoreMasterKeys(
  system: Pick<ProjectRow, 'master_keys'>,
  stores: Stores,
  backend: CryptoBackend,
): StoreMasterKeys | undefined {
  const all = decodeMasterKeys(system.master_keys);
  const isOwn = ({ store }: StoreMasterKeys): boolean => stores.find(store) === backend;
  return all.find(({ store }) => store === backend.store) ?? all.find(isOwn);
}

/** The master key that a new KEK in a backend is wrapped under. */
export function activeMasterKey(
  system: Pick<ProjectRow, 'master_keys'>,
  stores: Stores,
  backend: CryptoBackend,
): string {
  return findStoreMasterKeys(system, stores, backend)?.activeId ?? backend.activeMasterKeyId();
}

/** @throws CofferError `integrity_violation` for a KEK under a master key that is retired. */
export function requireUnretired(
  system: Pick<ProjectRow, 'master_keys'>,
  stores: Stores,
  { store, master_key_id: id }: Pick<KekRow, 'store' | 'master_key_id'>,
): void {
  const backend = stores.find(store);
  const keys = backend && findStoreMasterKeys(system, stores, backend);
  if (keys?.retired.includes(id) === true) throw violated();
}

/**
 * Whether a KEK is under the master key in use, which this server has not got yet.
 *
 * @throws StoreAway when its store cannot say so now.
 */
export async function isAheadOf(
  stores: Stores,
  system: Pick<ProjectRow, 'master_keys'>,
  { store, master_key_id: id }: Pick<KekRow, 'store' | 'master_key_id'>,
): Promise<boolean> {
  const backend = stores.find(store);
  if (backend === undefined || activeMasterKey(system, stores, backend) !== id) return false;
  return !(await backend.listMasterKeys().catch(throwAway)).includes(id);
}

/**
 * Resolves while KEKs can be opened under the master key in use. One that is retired since the system's row
 * was read is not there any more: `readAgain` gives the row as it is now.
 *
 * @throws StoreAway otherwise.
 */
export async function checkActiveMasterKey(
  system: ProjectRow,
  stores: Stores,
  backend: CryptoBackend,
  readAgain: () => Promise<ProjectRow>,
): Promise<void> {
  const masterKey = activeMasterKey(system, stores, backend);
  await backend.checkHealth(masterKey).catch(async (error: unknown) => {
    const now = activeMasterKey(await readAgain(), stores, backend);
    if (now === masterKey) throwAway(error);
    await backend.checkHealth(now).catch(throwAway);
  });
}

/** The column of the system's row once `changes` hold for a backend. */
export function withStoreMasterKeys(
  system: Pick<ProjectRow, 'master_keys'>,
  stores: Stores,
  backend: CryptoBackend,
  changes: Pick<StoreMasterKeys, 'activeId'> & Partial<StoreMasterKeys>,
): Uint8Array {
  const known = findStoreMasterKeys(system, stores, backend);
  const others = decodeMasterKeys(system.master_keys).filter(({ store }) => store !== known?.store);
  return encodeMasterKeys([...others, { store: backend.store, retired: [], ...known, ...changes }]);
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
