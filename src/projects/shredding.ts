import type { Coffer } from '../coffer.ts';
import { CofferError } from '../errors.ts';
import { advanceDeletion, type Deletion, deleteProject } from './deletion.ts';
import * as queries from './queries.ts';

/** Which master keys a copy of a project's rows opens with. */
export interface MasterKeyName {
  store: string;
  masterKeyId: string;
}

export interface Shredding {
  /** Undefined when it was cut off: the servers go on with it. */
  outcome: 'done' | undefined;
  rows: number;
  keks: number;
  /** Of the keys that were destroyed and may be in copies; objects of a token are in none. */
  masterKeys: readonly MasterKeyName[];
  /** Stores that the configuration does not name, and in which objects of its keys are still there. */
  unreached: readonly string[];
}

type Parts = Deletion & Pick<Coffer, 'clock'>;

/**
 * Deletes a project, or goes on with it, and stays until nothing of it is left but its empty row. `mark` is
 * called for one that is not marked as deleted yet; its keys go before anything else.
 *
 * @throws CofferError `not_found` for a project that is not there; StoreAway while keys are in a store that
 *   is.
 */
export async function shredProject(
  parts: Parts,
  projectId: string,
  {
    mark = async () => await deleteProject({ ...parts, wake: () => {} }, projectId),
    signal,
    onProgress,
  }: {
    mark?: () => Promise<void>;
    signal: AbortSignal;
    onProgress: (done: number, total: number) => void;
  },
): Promise<Shredding> {
  const { db, keyring } = parts;
  keyring.forgetProject(projectId);
  const project = await keyring.findProject(projectId);
  if (project === undefined || project.origin === 'system') {
    throw new CofferError('not_found', 'There is no such project.');
  }
  if (project.deleted === null) await mark();
  const keys = await keyring.listMasterKeysOf(projectId);
  const total = await queries.countRowsOf(db, projectId);
  const copied = keys.filter(({ reference }) => !reference);
  const masterKeys = copied.map(({ store, master_key_id }) => ({ store, masterKeyId: master_key_id }));
  const keks = keys.reduce((sum, { keks: count }) => sum + Number(count), 0);
  const unreached = keys.filter(
    ({ store, reference }) => reference && keyring.stores.find(store) === undefined,
  );
  const destroyed = { keks, masterKeys, unreached: [...new Set(unreached.map(({ store }) => store))] };
  onProgress(0, total);
  for (let outcome: 'more' | 'done' = 'more'; outcome === 'more'; ) {
    if (signal.aborted) return { outcome: undefined, rows: 0, ...destroyed };
    outcome = await advanceDeletion(parts, projectId);
    onProgress(total - (await queries.countRowsOf(db, projectId)), total);
  }
  // Nothing is left to do also where the row is not marked any more, or does not verify.
  if ((await keyring.listMasterKeysOf(projectId)).length > 0) {
    throw new CofferError(
      'integrity_violation',
      'The keys of the project are still there: its row was altered, and does not say that it is deleted.',
    );
  }
  return { outcome: 'done', rows: total, ...destroyed };
}
