import { CofferError } from '../errors.ts';
import { activeMasterKey, findStoreMasterKeys } from '../keyring/store-master-keys.ts';
import { countKeksByMasterKey } from './kek-queries.ts';
import { readSystem } from './master-key-rotation.ts';
import type { RotationParts } from './rewrap.ts';

export interface MasterKey {
  store: string;
  id: string;
}

/** `missing`: KEKs name it, and the store does not have it. */
export interface MasterKeyState extends MasterKey {
  state: 'active' | 'kept' | 'missing' | 'retired';
  keks: number;
}

/** The master keys of a store: those that it has, those that KEKs name, and those that are retired. */
export async function describeMasterKeys(
  parts: Pick<RotationParts, 'db' | 'keyring'>,
  store: string,
): Promise<MasterKeyState[]> {
  const { stores } = parts.keyring;
  const backend = stores.get(store);
  const system = await readSystem(parts);
  const active = activeMasterKey(system, stores, backend);
  const retired = findStoreMasterKeys(system, stores, backend)?.retired ?? [];
  const held = await backend.listMasterKeys();
  const counted = await countKeksByMasterKey(parts.db);
  const own = counted.filter((count) => stores.find(count.store) === backend);
  const stateOf = (id: string): MasterKeyState['state'] => {
    if (retired.includes(id)) return 'retired';
    if (!held.includes(id)) return 'missing';
    return id === active ? 'active' : 'kept';
  };
  const ids = new Set([...held, ...own.map(({ master_key_id: id }) => id), active, ...retired]);
  return [...ids].sort().map((id) => {
    const keks = own
      .filter(({ master_key_id: of }) => of === id)
      .reduce((sum, one) => sum + Number(one.keks), 0);
    return { store, id, keks, state: stateOf(id) };
  });
}

/** Two commands do not change one file at once. */
export function lockOf(store: string): string {
  return `master-keys/${store}`;
}

/**
 * Makes a master key in a store. KEKs are under it once `rotateMasterKey` says so.
 *
 * @throws CofferError `conflict` for an id that the store has, or had.
 */
export async function addMasterKey(parts: RotationParts, { store, id }: MasterKey): Promise<void> {
  const { db, keyring } = parts;
  const backend = keyring.stores.get(store);
  const known = findStoreMasterKeys(await readSystem(parts), keyring.stores, backend);
  if (known?.retired.includes(id) === true) {
    throw new CofferError('conflict', `A master key ${id} is retired: choose another id.`);
  }
  await db.exclusive(lockOf(store), async () => await backend.addMasterKey(id));
}
