import type { Coffer } from '../coffer.ts';
import type { KekRow } from '../db/schema.ts';
import { CofferError } from '../errors.ts';
import { findRemains, isReference, type KekRemains } from '../keyring/kek-remains.ts';
import { advanceDeletion, type Deletion, deleteProject } from './deletion.ts';
import { hasKek } from '../keyring/projects.ts';
import * as queries from './queries.ts';

/** Which master keys a copy of a project's rows opens with. */
export interface MasterKeyName {
  store: string;
  masterKeyId: string;
}

export interface Shredding extends KekRemains {
  /** Undefined when it was cut off: the servers go on with it. */
  outcome: 'done' | undefined;
  rows: number;
  keks: number;
  /** Of the keys that were destroyed and may be in copies; objects of a token are in none. */
  masterKeys: readonly MasterKeyName[];
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
  // Servers begin at once with one that is marked, and rows that are gone say nothing.
  const before = await keyring.listKeks(projectId);
  if (project.deleted === null) await mark();
  const keks = joinById(before, await keyring.listKeks(projectId));
  const total = await queries.countRowsOf(db, projectId);
  const destroyed = { keks: keks.length, masterKeys: masterKeysOf(keks) };
  onProgress(0, total);
  for (let outcome: 'more' | 'done' = 'more'; outcome === 'more'; ) {
    if (signal.aborted) return { outcome: undefined, rows: 0, ...destroyed, unreached: [], unproven: [] };
    outcome = await advanceDeletion(parts, projectId);
    onProgress(total - (await queries.countRowsOf(db, projectId)), total);
  }
  // Nothing is left to do also where the row is not marked any more, or does not verify.
  if ((await keyring.listKeks(projectId)).length > 0) {
    throw new CofferError(
      'integrity_violation',
      'The keys of the project are still there: its row was altered, and does not say that it is deleted.',
    );
  }
  const { deleted, active_epoch: active } = project;
  const isWhole = deleted !== null || !hasKek(project) || keks.some(({ epoch }) => epoch === active);
  return { outcome: 'done', rows: total, ...destroyed, ...(await findRemains(keyring, keks, isWhole)) };
}

function joinById(before: readonly KekRow[], after: readonly KekRow[]): KekRow[] {
  const known = new Set(before.map(({ id }) => id));
  return [...before, ...after.filter(({ id }) => !known.has(id))];
}

function masterKeysOf(keks: readonly KekRow[]): MasterKeyName[] {
  const copied = keks.filter((row) => !isReference(row));
  const names = copied.map(({ store, master_key_id: masterKeyId }) => ({ store, masterKeyId }));
  return [...new Map(names.map((name) => [`${name.store}/${name.masterKeyId}`, name])).values()];
}
