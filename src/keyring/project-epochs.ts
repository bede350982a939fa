import { wipe } from '../crypto/envelope.ts';
import { SYSTEM_PROJECT } from '../db/layouts.ts';
import type { Db, Queryable } from '../db/open.ts';
import type { KekRow, ProjectRow } from '../db/schema.ts';
import { insertRow, type RowKeys, sealRow, StaleRow, swapRow } from '../db/sealed.ts';
import { CofferError, StoreAway } from '../errors.ts';
import { destroyKek, discard, type EpochParts, makeEpoch } from './epochs.ts';
import { activeMasterKey } from './store-master-keys.ts';
import { hasKek, newProject } from './projects.ts';
import { findKek } from './queries.ts';

/** What the keyring lends for it. */
interface ProjectEpochsOptions {
  db: Db;
  date: () => Date;
  keys: RowKeys;
  parts: () => EpochParts;
  findProject: (projectId: string) => Promise<ProjectRow | undefined>;
  forgetProject: (projectId: string) => void;
  /** Opens the KEK of an epoch, and gives its store. */
  storeOf: (projectId: string, epoch: bigint) => Promise<string>;
  /** The system's row. */
  system: () => Promise<ProjectRow>;
}

const ATTEMPTS_MAX = 5;
/** From the making of a KEK to the COMMIT of its row. */
export const NEW_KEK_MS_MAX = 60_000;

/** The rows of projects as writers need them: which KEK is written under, and in which store it is. */
export class ProjectEpochs {
  readonly #options: ProjectEpochsOptions;
  readonly #starting = new Map<string, Promise<void>>();

  constructor(options: ProjectEpochsOptions) {
    this.#options = options;
  }

  /** As `Keyring.useProject`. */
  async use(projectId: string): Promise<ProjectRow> {
    return await this.#prepare(projectId, async (project) => {
      const store = project.preferred_store ?? this.#defaultStore();
      if (await this.#writesTo(project, store)) return true;
      await this.#startFor(project, store);
      return false;
    });
  }

  /** One KEK for all of this process who write first at once: what a token makes, it keeps. */
  async #startFor(project: ProjectRow, store: string): Promise<void> {
    const begun = this.#starting.get(project.id);
    if (begun !== undefined) {
      await begun;
      return;
    }
    const starting = this.#startAnew(project, store).finally(() => this.#starting.delete(project.id));
    this.#starting.set(project.id, starting);
    await starting;
  }

  /** Starts the epoch only while the row is what was read: another may have started one, and be done. */
  async #startAnew({ id, seal }: ProjectRow, store: string): Promise<void> {
    this.#options.forgetProject(id);
    const project = await this.#options.findProject(id);
    if (project !== undefined && Buffer.compare(project.seal, seal) === 0) {
      await this.#start(project, store, {});
    }
  }

  /** As `Keyring.ensureProject`. */
  async ensure(projectId: string): Promise<ProjectRow> {
    return await this.#prepare(projectId, async () => true);
  }

  /** As `Keyring.preferStore`. */
  async prefer(project: ProjectRow, preferred: string | null): Promise<void> {
    const { db, keys, date, forgetProject } = this.#options;
    const revision = project.revision + 1n;
    const changes = { preferred_store: preferred, updated: date(), revision };
    const store = preferred ?? this.#defaultStore();
    try {
      if (hasKek(project) && !(await this.#writesTo(project, store))) {
        await this.#start(project, store, changes);
      } else {
        await swapRow(db, 'projects', project, await sealRow(keys, 'projects', { ...project, ...changes }));
      }
    } finally {
      forgetProject(project.id);
    }
  }

  /** As `Keyring.startEpoch`. */
  async startNext(
    project: ProjectRow,
    store: string | undefined,
    also: (tx: Queryable) => Promise<void>,
  ): Promise<void> {
    const { storeOf, forgetProject } = this.#options;
    try {
      await this.#start(project, store ?? (await storeOf(project.id, project.active_epoch)), {}, also);
    } finally {
      forgetProject(project.id);
    }
  }

  /** Of many who prepare at once one wins, and all get the same row. */
  async #prepare(projectId: string, isReady: (project: ProjectRow) => Promise<boolean>): Promise<ProjectRow> {
    const { findProject, forgetProject } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const project = await findProject(projectId);
      if (project !== undefined && project.deleted !== null) {
        throw new CofferError('forbidden', 'The project is being deleted.');
      }
      try {
        if (project === undefined) await this.#insertExternal(projectId);
        else if (await isReady(project)) return project;
      } catch (error) {
        const lost = error instanceof StaleRow || (error instanceof CofferError && error.code === 'conflict');
        if (!lost) throw error;
      }
      forgetProject(projectId);
    }
    throw new CofferError('unavailable', 'The project is being changed; try again.', {
      retryAfterSeconds: 1,
    });
  }

  #defaultStore(): string {
    return this.#options.parts().stores.names[0];
  }

  /** Whether the KEK that the project writes under is in a store. */
  async #writesTo(project: ProjectRow, store: string): Promise<boolean> {
    if (!hasKek(project)) return false;
    const { id, active_epoch: epoch } = project;
    const { db, storeOf, parts } = this.#options;
    try {
      return (await storeOf(id, epoch)) === store;
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error;
      const row = await findKek(db, id, epoch);
      // That of the wanted store is only away; one elsewhere is not what is asked for.
      if (row !== undefined && parts().stores.find(row.store)?.store === store) throw error;
      return false;
    }
  }

  /** Makes the project's next KEK, in a store, and has the project write under it. @throws StaleRow. */
  async #start(
    project: ProjectRow,
    store: string,
    changes: Partial<ProjectRow>,
    also: (tx: Queryable) => Promise<void> = async () => {},
  ): Promise<void> {
    const { db, keys, parts, forgetProject } = this.#options;
    const epoch = project.active_epoch + 1n;
    const begun = performance.now();
    const isSystem = project.id === SYSTEM_PROJECT;
    const system = isSystem ? project : await this.#options.system();
    const kekRow = await this.#makeKek(system, store, project.id, epoch);
    // The master key must be the one in use still when the KEK is there, or it might be retired unseen.
    const resting = isSystem ? [] : { table: 'projects' as const, id: system.id, seal: system.seal };
    let isEnding = false;
    try {
      const least_epoch = project.least_epoch === 0n ? epoch : project.least_epoch;
      const next = { ...project, ...changes, active_epoch: epoch, least_epoch };
      const sealed = await sealRow(keys, 'projects', next);
      await db.transaction(async (tx) => {
        await swapRow(tx, 'projects', project, sealed);
        await insertRow(tx, 'keks', kekRow, { resting });
        await also(tx);
        // After that whoever looks for keys without a row takes it for one.
        if (performance.now() - begun > NEW_KEK_MS_MAX) throw new StaleRow();
        isEnding = true;
      });
    } catch (error) {
      // Whether a COMMIT that failed was done is not known; before it nothing rests on the key.
      if (!isEnding) await discard(async () => await destroyKek(parts(), kekRow));
      if (error instanceof StaleRow) forgetProject(SYSTEM_PROJECT);
      throw error;
    }
  }

  /** A new KEK under the master key in use. @throws StaleRow when that is another by now. */
  async #makeKek(system: ProjectRow, store: string, projectId: string, epoch: bigint): Promise<KekRow> {
    const { date, parts, forgetProject } = this.#options;
    const { stores } = parts();
    const backend = stores.get(store);
    const masterKeyId = activeMasterKey(system, stores, backend);
    try {
      const { kekRow, rowsKey } = await makeEpoch(parts(), { store, masterKeyId }, projectId, epoch, date());
      wipe(rowsKey);
      return kekRow;
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error;
      forgetProject(SYSTEM_PROJECT);
      const now = activeMasterKey(await this.#options.system(), stores, backend);
      throw now === masterKeyId ? error : new StaleRow();
    }
  }

  async #insertExternal(projectId: string): Promise<void> {
    const { db, keys, date, system } = this.#options;
    const { active_epoch: epoch } = await system();
    const row = newProject(projectId, 'external', epoch, date(), { enabled: true });
    await insertRow(db, 'projects', await sealRow(keys, 'projects', row));
  }
}
