import { generateKey, openPayload, sealPayload, wipe } from '../crypto/envelope.ts';
import { SYSTEM_PROJECT } from '../db/layouts.ts';
import type { Db, Queryable } from '../db/open.ts';
import { createRevisionMemory } from '../db/revisions.ts';
import type { KekRow, ProjectRow } from '../db/schema.ts';
import { type RowKeys, openRow, verifyRow } from '../db/sealed.ts';
import { CofferError, ProjectGone, StoreAway } from '../errors.ts';
import { dekContext, type PayloadKind, payloadContext } from './contexts.ts';
import { destroyKek, type OpenEpoch, openEpoch } from './epochs.ts';
import { KeyCache } from './key-cache.ts';
import { ProjectCache } from './project-cache.ts';
import { ProjectEpochs } from './project-epochs.ts';
import { findOrphans, type Orphans } from './orphans.ts';
import { findKek, findProject, listKeks } from './queries.ts';
import { checkActiveMasterKey, isAheadOf, requireUnretired } from './store-master-keys.ts';
import type { Stores } from './stores.ts';
import { insertSystemProject } from './system-project.ts';
import { WrapCounts, type WrapLimits } from './wrap-counts.ts';

/** A payload as its row keeps it. */
export interface PayloadColumns {
  epoch: bigint;
  dek: Uint8Array;
  payload_head: Uint8Array;
  payload_body: Uint8Array;
}

export interface KeyringOptions {
  db: Db;
  stores: Stores;
  installationId: Uint8Array;
  /** Milliseconds, for the age of what is cached. */
  now: () => number;
  date: () => Date;
  finishedMigration: number;
  keksMax?: number;
  wrapLimits?: WrapLimits;
}

/** How long a KEK is held open that nobody asks for. */
export const KEK_TTL_MS = 15 * 60_000;

/** KEKs over a backend: seals and opens payloads, and lends the keys that seal rows. */
export class Keyring implements RowKeys {
  readonly installationId: Uint8Array;
  readonly stores: Stores;
  /** What keys have encrypted, where that is bounded. */
  readonly wraps: WrapCounts;
  readonly #options: KeyringOptions;
  readonly #epochs: KeyCache<OpenEpoch>;
  readonly #projects: ProjectCache;
  readonly #projectEpochs: ProjectEpochs;
  readonly #memory = createRevisionMemory();
  /** Epochs only rise, also where the revision stays: by a rotation. */
  readonly #epochMemory = createRevisionMemory();
  readonly #sweeper: NodeJS.Timeout;
  finishedMigration: number;

  constructor(options: KeyringOptions) {
    this.#options = options;
    this.installationId = options.installationId;
    this.stores = options.stores;
    this.wraps = new WrapCounts(options.db, options.wrapLimits);
    this.finishedMigration = options.finishedMigration;
    this.#epochs = new KeyCache({
      entriesMax: options.keksMax ?? 1_000,
      ttlMs: KEK_TTL_MS,
      now: options.now,
    });
    this.#projects = new ProjectCache(async (id) => await this.#readProject(id), options.now);
    this.#projectEpochs = new ProjectEpochs({
      db: options.db,
      date: options.date,
      keys: this,
      parts: () => this,
      findProject: async (id) => await this.findProject(id),
      forgetProject: (id) => this.forgetProject(id),
      storeOf: async (id, epoch) => await this.#borrowEpoch(id, epoch, ({ store }) => store),
      system: async () => await this.system(),
    });
    this.#sweeper = setInterval(() => this.#epochs.sweep(), 30_000).unref();
  }

  /**
   * Encrypts a payload under a fresh DEK, wrapped by the project's active KEK, bound to kind, project and
   * owner. `project` is the verified row that the writing statement rests on. Borrows `payload`; wipes the
   * DEK.
   */
  async seal(
    kind: PayloadKind,
    project: ProjectRow,
    ownerId: string,
    payload: Uint8Array,
  ): Promise<PayloadColumns> {
    return await this.sealAt(kind, project.id, project.active_epoch, ownerId, payload);
  }

  /** `seal` under a given epoch: for a row that has one already and keeps it. */
  async sealAt(
    kind: PayloadKind,
    projectId: string,
    epoch: bigint,
    ownerId: string,
    payload: Uint8Array,
  ): Promise<PayloadColumns> {
    return await this.#withEpoch(projectId, epoch, async ({ kekId, kek }) => {
      const dek = generateKey();
      try {
        const sealed = sealPayload(
          dek,
          payload,
          payloadContext(this.installationId, kind, projectId, ownerId),
        );
        const wrapped = await kek.wrap(
          dek,
          dekContext(this.installationId, kind, projectId, ownerId, kekId, epoch),
        );
        return { epoch, dek: wrapped, payload_head: sealed.head, payload_body: sealed.body };
      } finally {
        wipe(dek);
      }
    });
  }

  /**
   * Decrypts what `seal` made for the same kind, project and owner. The caller owns the result and wipes it.
   */
  async open(
    kind: PayloadKind,
    projectId: string,
    ownerId: string,
    sealed: PayloadColumns,
  ): Promise<Uint8Array> {
    return await this.#withEpoch(projectId, sealed.epoch, async ({ kekId, kek }) => {
      const context = dekContext(this.installationId, kind, projectId, ownerId, kekId, sealed.epoch);
      const dek = await kek.unwrap(sealed.dek, context);
      try {
        const envelope = { head: sealed.payload_head, body: sealed.payload_body };
        return openPayload(dek, envelope, payloadContext(this.installationId, kind, projectId, ownerId));
      } finally {
        wipe(dek);
      }
    });
  }

  /**
   * Wraps the DEK of a payload under another epoch of its project: what was sealed is not decrypted. Wipes
   * the DEK.
   */
  async rewrapDek(
    kind: PayloadKind,
    projectId: string,
    ownerId: string,
    { dek, from, to }: { dek: Uint8Array; from: bigint; to: bigint },
  ): Promise<Uint8Array> {
    const contextAt = (kekId: string, epoch: bigint): Uint8Array =>
      dekContext(this.installationId, kind, projectId, ownerId, kekId, epoch);
    return await this.#withEpoch(projectId, from, async (old) => {
      const key = await old.kek.unwrap(dek, contextAt(old.kekId, from));
      try {
        return await this.#withEpoch(
          projectId,
          to,
          async (next) => await next.kek.wrap(key, contextAt(next.kekId, to)),
        );
      } finally {
        wipe(key);
      }
    });
  }

  async withRowsKey<T>(projectId: string, epoch: bigint, use: (key: Uint8Array) => T): Promise<T> {
    return await this.#withEpoch(projectId, epoch, ({ rowsKey }) => use(rowsKey));
  }

  /** The project's verified row, at most 5 s old; undefined for one that was never seen. */
  async findProject(projectId: string): Promise<ProjectRow | undefined> {
    return await this.#projects.find(projectId);
  }

  /** Reads the project anew next time: its row, or one that rests on it, was found changed. */
  forgetProject(projectId?: string): void {
    this.#projects.forget(projectId);
  }

  /** Wipes the open keys of a project, once nobody uses them any more. */
  forgetKeys(projectId: string): void {
    this.#epochs.evict(`${projectId}/`);
  }

  /**
   * The project's row with a KEK to write under, in the store that the project prefers, or else the default.
   * The first writer makes the KEK; of many first writers one wins, and all get the same.
   *
   * @throws CofferError `forbidden` for a project that is being deleted; StoreAway when its store is.
   */
  async useProject(projectId: string): Promise<ProjectRow> {
    return await this.#projectEpochs.use(projectId);
  }

  /**
   * The project's row; made for a project that is known to an outside identity service alone.
   *
   * @throws CofferError `forbidden` for a project that is being deleted.
   */
  async ensureProject(projectId: string): Promise<ProjectRow> {
    return await this.#projectEpochs.ensure(projectId);
  }

  /**
   * Has what is written from now on in a project go to a store, or for null to the default one: where its
   * active KEK is elsewhere, an epoch begins there. What was written before stays where it is.
   *
   * @throws StaleRow when the project is no longer what was read; StoreAway when the store is.
   */
  async preferStore(project: ProjectRow, preferred: string | null): Promise<void> {
    await this.#projectEpochs.prefer(project, preferred);
  }

  /**
   * Begins the project's next epoch, in a store, or for undefined where its active KEK is: from now on is
   * written under it. `also` writes in the same transaction.
   *
   * @throws StaleRow when the project is no longer what was read; StoreAway when the store is.
   */
  async startEpoch(
    project: ProjectRow,
    store: string | undefined,
    also: (tx: Queryable) => Promise<void>,
  ): Promise<void> {
    await this.#projectEpochs.startNext(project, store, also);
  }

  /**
   * Destroys what the stores keep of a project's KEKs beside their rows, which are still there. Gives the ids
   * of those of which nobody knows what that is.
   */
  async destroyKeks(projectId: string, isMeant: (epoch: bigint) => boolean = () => true): Promise<string[]> {
    const unknown: string[] = [];
    for (const row of await this.listKeks(projectId)) {
      if (isMeant(row.epoch) && (await destroyKek(this, row)) === 'unknown') unknown.push(row.id);
    }
    return unknown;
  }

  /** The rows of a project's KEKs, unverified. */
  async listKeks(projectId: string): Promise<KekRow[]> {
    return await listKeks(this.#options.db, projectId);
  }

  /** As `findOrphans`, of these stores. */
  async findOrphans(wait: () => Promise<void>): Promise<Orphans[]> {
    return await findOrphans(this.#options.db, this, wait);
  }

  /**
   * Whether the system keys are there, and open.
   *
   * @throws CofferError `integrity_violation` when they are there and this keyring does not open them.
   */
  async isBootstrapped(): Promise<boolean> {
    if ((await this.findProject(SYSTEM_PROJECT)) !== undefined) return true;
    if ((await findKek(this.#options.db, SYSTEM_PROJECT, 1n)) === undefined) return false;
    // Both are made in one transaction, which may have ended between the two readings.
    if ((await this.findProject(SYSTEM_PROJECT)) === undefined) throw violated();
    return true;
  }

  /** Makes the system project and its KEK, in the caller's transaction. Once in an installation's life. */
  async bootstrap(tx: Queryable): Promise<void> {
    try {
      await insertSystemProject(this, tx, this.#options.date());
    } finally {
      this.forgetProject();
    }
  }

  /** The epoch that rows of no project are sealed under. */
  async systemEpoch(): Promise<bigint> {
    return (await this.system()).active_epoch;
  }

  /** When the system's keys were made. */
  async installedAt(): Promise<Date> {
    return (await this.system()).created;
  }

  /** The system's verified row, at most 5 s old. */
  async system(): Promise<ProjectRow> {
    const system = await this.findProject(SYSTEM_PROJECT);
    if (system === undefined) throw violated();
    return system;
  }

  /**
   * Resolves while the system's keys can be opened, without which nothing works. Another store that is away
   * concerns what is in it, and no more.
   */
  async checkHealth(): Promise<void> {
    const system = await this.system();
    const store = await this.#withEpoch(SYSTEM_PROJECT, system.active_epoch, (open) => open.store);
    await checkActiveMasterKey(system, this.stores, this.stores.get(store), async () => {
      this.forgetProject(SYSTEM_PROJECT);
      return await this.system();
    });
  }

  close(): void {
    clearInterval(this.#sweeper);
    this.#epochs.evict();
    this.stores.close();
  }

  async #withEpoch<T>(
    projectId: string,
    epoch: bigint,
    use: (epoch: OpenEpoch) => T | Promise<T>,
  ): Promise<T> {
    const project = await this.findProject(projectId);
    if (project !== undefined && project.deleted !== null) {
      this.forgetKeys(projectId);
      throw new ProjectGone();
    }
    if (project === undefined || epoch < project.least_epoch || epoch < 1n) throw violated();
    return await this.#borrowEpoch(projectId, epoch, use);
  }

  async #borrowEpoch<T>(
    projectId: string,
    epoch: bigint,
    use: (epoch: OpenEpoch) => T | Promise<T>,
  ): Promise<T> {
    return await this.#epochs.borrow(
      `${projectId}/${epoch}`,
      async () => await this.#openEpoch(projectId, epoch),
      use,
    );
  }

  async #openEpoch(projectId: string, epoch: bigint): Promise<OpenEpoch> {
    const row = await this.#findKek(projectId, epoch);
    // The system's row cannot be asked about the key that opens it.
    if (row === undefined || projectId === SYSTEM_PROJECT)
      return await openEpoch(this, row, projectId, epoch);
    requireUnretired(await this.system(), this.stores, row);
    try {
      return await openEpoch(this, row, projectId, epoch);
    } catch (error) {
      // A store that is away is not asked once more: whoever waits is answered now.
      if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
      this.forgetProject(SYSTEM_PROJECT);
      if (!(await isAheadOf(this.stores, await this.system(), row))) throw error;
      throw new StoreAway(new CofferError('unavailable', 'The master key in use is not in the store.'));
    }
  }

  /** A project that was deleted a moment ago has no keys, and is not what it is remembered as. */
  async #findKek(projectId: string, epoch: bigint): Promise<KekRow | undefined> {
    const row = await findKek(this.#options.db, projectId, epoch);
    if (row !== undefined || projectId === SYSTEM_PROJECT) return row;
    this.forgetProject(projectId);
    const project = await this.findProject(projectId);
    if (project !== undefined && project.deleted !== null) throw new ProjectGone();
    return undefined;
  }

  async #readProject(projectId: string): Promise<ProjectRow | undefined> {
    for (let isLast = false; ; isLast = true) {
      const row = await findProject(this.#options.db, projectId);
      if (row === undefined) return undefined;
      const project =
        projectId === SYSTEM_PROJECT
          ? await this.#openSystemRow(row)
          : await openRow(this, 'projects', { id: projectId }, row);
      if (!this.#memory.isOlder('projects', project) && !this.#isEpochOlder(project)) return project;
      // An answer that a newer one overtook looks like an older row put back: it is asked for once more.
      if (isLast) throw violated();
    }
  }

  #isEpochOlder({ id, active_epoch, least_epoch }: ProjectRow): boolean {
    return this.#epochMemory.isOlder('projects', { id, revision: active_epoch + least_epoch });
  }

  /** The system's row says which of its own epochs count, so it is verified before that question is asked. */
  async #openSystemRow(row: ProjectRow): Promise<ProjectRow> {
    if (row.id !== SYSTEM_PROJECT) throw violated();
    await this.#borrowEpoch(SYSTEM_PROJECT, row.epoch, ({ rowsKey }) =>
      verifyRow(rowsKey, this.installationId, 'projects', row),
    );
    if (row.epoch < row.least_epoch) throw violated();
    return row;
  }
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
