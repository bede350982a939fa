import { SYSTEM_PROJECT } from '../db/layouts.ts';
import type { KekRow, ProjectRow } from '../db/schema.ts';
import { StaleRow, sealRow, swapRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import type { CryptoBackend } from '../keyring/backend.ts';
import { isOfRow, openEpoch } from '../keyring/epochs.ts';
import { findStoreMasterKeys, withStoreMasterKeys } from '../keyring/store-master-keys.ts';
import * as queries from './kek-queries.ts';
import { lockOf, type MasterKey } from './master-keys.ts';
import { readSystem } from './master-key-rotation.ts';
import type { RotationParts } from './rewrap.ts';

const KEKS_A_PAGE = 256;

/**
 * Destroys a master key that no KEK of its store needs. That it is retired stands in the system's sealed row
 * first, in a transaction that counts no KEK under it: from then on no server makes or opens one under it,
 * whatever file it has. Cut off anywhere, the next call goes on.
 *
 * @throws CofferError `not_found` for a master key that the store does not have; `conflict` while it is in
 *   use or a KEK needs it, or one does not open and might; `unavailable` when that cannot be told.
 */
export async function retireMasterKey(parts: RotationParts, { store, id }: MasterKey): Promise<void> {
  const { db, keyring } = parts;
  const backend = keyring.stores.get(store);
  const system = await readSystem(parts);
  const known = findStoreMasterKeys(system, keyring.stores, backend);
  const isRetired = known?.retired.includes(id) === true;
  if (!isRetired && !(await backend.listMasterKeys()).includes(id)) {
    throw new CofferError(
      'not_found',
      `The store ${store} has no master key ${id}. See: coffer master-key list`,
    );
  }
  if (known === undefined || known.activeId === id) {
    const why =
      known === undefined ? 'No master key of this store was rotated yet' : `New KEKs are under ${id}`;
    throw new CofferError('conflict', `${why}: first coffer master-key rotate --to another one.`);
  }
  await requireUnneeded(parts, backend, id);
  if (!isRetired) {
    const retired = [...known.retired, id];
    const master_keys = withStoreMasterKeys(system, keyring.stores, backend, { ...known, retired });
    await markRetired(parts, backend, id, { system, master_keys });
  }
  await db.exclusive(lockOf(store), async () => await backend.removeMasterKey(id, known.activeId));
  parts.log.info({ store, masterKey: id }, 'a master key is retired');
}

async function markRetired(
  { db, keyring, clock }: RotationParts,
  backend: CryptoBackend,
  id: string,
  { system, master_keys }: { system: ProjectRow; master_keys: Uint8Array },
): Promise<void> {
  const revision = system.revision + 1n;
  const next = await sealRow(keyring, 'projects', { ...system, master_keys, revision, updated: clock.now() });
  try {
    await db.transaction(async (tx) => {
      await swapRow(tx, 'projects', system, next);
      const needed = await queries.countKeksUnder(tx, keyring.stores.namesOf(backend), [id]);
      if (needed > 0) throw neededBy(needed, id);
    });
  } catch (error) {
    if (!(error instanceof StaleRow)) throw error;
    throw new CofferError('conflict', 'The master keys were changed meanwhile; look again.');
  } finally {
    keyring.forgetProject(SYSTEM_PROJECT);
  }
}

/**
 * Whoever writes to the database can have a KEK's row name another store or master key. So each row must open
 * as it stands: then it says what it needs.
 */
async function requireUnneeded(parts: RotationParts, backend: CryptoBackend, id: string): Promise<void> {
  const { db, keyring } = parts;
  const needed = await queries.countKeksUnder(db, keyring.stores.namesOf(backend), [id]);
  if (needed > 0) throw neededBy(needed, id);
  const closed: string[] = [];
  let after: string | null = null;
  do {
    const page: KekRow[] = await queries.listAllKeks(db, after, KEKS_A_PAGE);
    after = page.length < KEKS_A_PAGE ? null : (page.at(-1)?.id ?? null);
    for (const row of page) {
      if (!(await opens(parts, row))) closed.push(`epoch ${row.epoch} of ${row.project_id}`);
    }
  } while (after !== null);
  if (closed.length === 0) return;
  const which = closed.length > 10 ? `${closed.slice(0, 10).join(', ')} and more` : closed.join(', ');
  throw new CofferError('conflict', `${closed.length} KEKs do not open and may need ${id}: ${which}.`);
}

async function opens({ keyring, integrityViolations }: RotationParts, row: KekRow): Promise<boolean> {
  try {
    (await openEpoch(keyring, row, row.project_id, row.epoch)).close();
    return true;
  } catch (error) {
    if (!isOfRow(error)) throw error;
    integrityViolations.count('keks', 'retirement');
    return false;
  }
}

function neededBy(keks: number, id: string): CofferError {
  const what = keks === 1 ? '1 KEK needs' : `${keks} KEKs need`;
  return new CofferError('conflict', `${what} the master key ${id}: run coffer master-key rotate first.`);
}
