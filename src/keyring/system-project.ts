import { wipe } from '../crypto/envelope.ts';
import { SYSTEM_PROJECT } from '../db/layouts.ts';
import type { Queryable } from '../db/open.ts';
import { insertRow, sealRowWith } from '../db/sealed.ts';
import { type EpochParts, makeEpoch } from './epochs.ts';
import { newProject } from './projects.ts';

/** The reserved project and its first KEK: what everything else is sealed under in the end. */
export async function insertSystemProject(parts: EpochParts, tx: Queryable, created: Date): Promise<void> {
  const epoch = 1n;
  const [store] = parts.stores.names;
  const masterKeyId = parts.stores.get(store).activeMasterKeyId();
  const { kekRow, rowsKey } = await makeEpoch(parts, { store, masterKeyId }, SYSTEM_PROJECT, epoch, created);
  try {
    const row = newProject(SYSTEM_PROJECT, 'system', epoch, created, { enabled: false });
    const sealed = sealRowWith(rowsKey, parts, 'projects', {
      ...row,
      active_epoch: epoch,
      least_epoch: epoch,
    });
    await insertRow(tx, 'projects', sealed);
    await insertRow(tx, 'keks', kekRow);
  } finally {
    wipe(rowsKey);
  }
}
