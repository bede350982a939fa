import type { Coffer } from '../coffer.ts';
import type { Queryable } from '../db/open.ts';
import type { ProjectRow } from '../db/schema.ts';
import { deleteRow, insertRow, type NewRow, openRow, sealRow, StaleRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { checkObject } from '../http/json-schema-messages.ts';
import { stripTexts } from '../http/python-text.ts';
import { openListed, type Operation, operate } from '../operation.ts';
import type { Action } from '../policy/actions.ts';
import type { Caller } from '../policy/actor.ts';
import { writeWithinQuota } from '../quotas/enforce.ts';
import { deleteConsumersOf, findConsumer, listConsumersOf, pageConsumers } from './queries.ts';
import {
  consumerFields,
  type ConsumerFields,
  consumerId,
  type ConsumerKind,
  type ConsumerRow,
  type ConsumerTable,
} from './record.ts';

/** The verified row that consumers hang on. */
interface Parent {
  id: string;
  project_id: string;
  seal: Uint8Array;
}

/** What has consumers: secrets or containers. Made by their slice, given by app.ts. */
export interface ConsumerOwner<R extends Parent> {
  kind: ConsumerKind;
  collection: 'secrets' | 'containers';
  parameter: 'secretId' | 'containerId';
  actions: Readonly<Record<'get' | 'add' | 'remove', Action>>;
  /** As refusals name them: `SecretConsumer` and `SecretConsumers(s)`. */
  names: Readonly<Record<'one' | 'many', string>>;
  /** How one of them is found and judged. */
  on: (
    coffer: Coffer,
    id: string,
    action: Action,
    name: string,
  ) => Pick<Operation<R, unknown>, 'action' | 'name' | 'load' | 'target'>;
  /** The parent as its own route shows it, with its consumers. */
  describe: (coffer: Coffer, caller: Caller, row: R) => Promise<object>;
}

/** A page of the consumers of one parent. */
export async function listConsumers<R extends Parent>(
  coffer: Coffer,
  caller: Caller,
  owner: ConsumerOwner<R>,
  id: string,
  page: { offset: number; limit: number },
): Promise<{ rows: ConsumerRow[]; total: number }> {
  return await operate<{ rows: ConsumerRow[]; total: number }, R>(coffer, caller, {
    ...owner.on(coffer, id, owner.actions.get, `${owner.names.many} retrieval`),
    run: async (parent) => {
      const { table } = owner.kind;
      const { rows, total } = await pageConsumers(coffer.db, table, parent.id, page);
      return { rows: await openConsumers(coffer, caller, table, [parent], rows), total };
    },
  });
}

/** Ids are never shown, so that nobody can ask for one that is there. */
export async function getConsumer<R extends Parent>(
  coffer: Coffer,
  caller: Caller,
  owner: ConsumerOwner<R>,
  id: string,
): Promise<never> {
  return await operate<never, R>(coffer, caller, {
    ...owner.on(coffer, id, 'consumer:get', `${owner.names.one} retrieval`),
    run: async () => {
      throw notFound();
    },
  });
}

/** Registers a consumer, once however often, and gives the parent. */
export async function addConsumer<R extends Parent>(
  coffer: Coffer,
  caller: Caller,
  owner: ConsumerOwner<R>,
  id: string,
  readBody: () => Promise<unknown>,
): Promise<object> {
  return await operate<object, R>(coffer, caller, {
    ...owner.on(coffer, id, owner.actions.add, `${owner.names.one} creation`),
    run: async (parent) => {
      const fields = parseConsumer(owner.kind, await readBody());
      if ((await findByFields(coffer, owner.kind, parent, fields)) === undefined) {
        await insertConsumer(coffer, caller, owner, parent, fields);
      }
      return await owner.describe(coffer, caller, parent);
    },
  });
}

/** Removes a consumer, and gives the parent. */
export async function removeConsumer<R extends Parent>(
  coffer: Coffer,
  caller: Caller,
  owner: ConsumerOwner<R>,
  id: string,
  readBody: () => Promise<unknown>,
): Promise<object> {
  return await operate<object, R>(coffer, caller, {
    ...owner.on(coffer, id, owner.actions.remove, `${owner.names.one} deletion`),
    run: async (parent) => {
      const fields = parseConsumer(owner.kind, await readBody());
      const row = await findByFields(coffer, owner.kind, parent, fields);
      if (row === undefined) throw notFound();
      const { projectId } = caller.actor;
      if (projectId !== row.consumer_project_id && projectId !== row.project_id) {
        throw new CofferError(
          'forbidden',
          'Not Allowed. Sorry, only the creator of a consumer can delete it.',
        );
      }
      await deleteRow(coffer.db, owner.kind.table, row);
      return await owner.describe(coffer, caller, parent);
    },
  });
}

/** What the consumers of each of some parents say, by the parent's id: in one query, verified. */
export async function findConsumers(
  coffer: Coffer,
  caller: Caller,
  kind: ConsumerKind,
  parents: readonly Parent[],
): Promise<ReadonlyMap<string, readonly ConsumerFields[]>> {
  const found = new Map<string, ConsumerFields[]>(parents.map(({ id }) => [id, []]));
  if (parents.length === 0) return found;
  const rows = await listConsumersOf(coffer.db, kind.table, [...found.keys()]);
  for (const row of await openConsumers(coffer, caller, kind.table, parents, rows)) {
    found.get(row.parent_id)?.push(consumerFields(kind, row));
  }
  return found;
}

/**
 * Removes all consumers of a parent whose row the transaction has deleted: insertion rests on that row, so
 * that none is added after the count.
 */
export async function removeAllConsumers(
  tx: Queryable,
  kind: ConsumerKind,
  parentId: string,
): Promise<number> {
  return await deleteConsumersOf(tx, kind.table, parentId);
}

function parseConsumer({ schema, columns }: ConsumerKind, body: unknown): ConsumerFields {
  const fields = checkObject(schema, stripTexts(body)) as ConsumerFields;
  return Object.fromEntries(columns.map(([field]) => [field, fields[field] ?? '']));
}

async function findByFields(
  coffer: Coffer,
  kind: ConsumerKind,
  parent: Parent,
  fields: ConsumerFields,
): Promise<ConsumerRow | undefined> {
  const id = consumerId(kind, parent.id, fields);
  const row = await findConsumer(coffer.db, kind.table, id);
  if (row === undefined) return undefined;
  const asked = { id, parent_id: parent.id, project_id: parent.project_id };
  return await openRow(coffer.keyring, kind.table, asked, row);
}

async function insertConsumer<R extends Parent>(
  coffer: Coffer,
  caller: Caller,
  { kind, names }: ConsumerOwner<R>,
  parent: R,
  fields: ConsumerFields,
): Promise<void> {
  const { keyring } = coffer;
  const project = await keyring.useProject(parent.project_id);
  const row = await sealRow(
    keyring,
    kind.table,
    newConsumer(coffer, caller, kind, { parent, project, fields }),
  );
  const resting = [
    { table: 'projects', id: project.id, seal: project.seal },
    { table: kind.parentTable, id: parent.id, seal: parent.seal },
  ] as const;
  try {
    await writeWithinQuota(coffer, project, kind.table, `${names.one} creation`, async (db) => {
      await insertRow(db, kind.table, row, { resting });
    });
  } catch (error) {
    const isThere = error instanceof CofferError && error.code === 'conflict';
    if (!isThere && !(error instanceof StaleRow)) throw error;
    keyring.forgetProject(project.id);
    throw new StaleRow();
  }
}

function newConsumer(
  { clock }: Coffer,
  { actor }: Caller,
  kind: ConsumerKind,
  { parent, project, fields }: { parent: Parent; project: ProjectRow; fields: ConsumerFields },
): NewRow<ConsumerTable> {
  const created = clock.now();
  const columns = Object.fromEntries(kind.columns.map(([field, column]) => [column, fields[field]]));
  return {
    ...columns,
    id: consumerId(kind, parent.id, fields),
    project_id: project.id,
    parent_id: parent.id,
    consumer_project_id: actor.projectId ?? '',
    created,
    updated: created,
    revision: 1n,
    epoch: project.active_epoch,
  };
}

async function openConsumers(
  coffer: Coffer,
  caller: Caller,
  table: ConsumerTable,
  parents: readonly Parent[],
  rows: readonly ConsumerRow[],
): Promise<ConsumerRow[]> {
  const projects = new Map(parents.map(({ id, project_id }) => [id, project_id]));
  const opened = await openListed<ConsumerTable>(coffer, caller, table, {}, rows);
  // A seal says that a row is ours; that it hangs on this parent, and in its project, is asked for here.
  return opened.filter(({ parent_id, project_id }) => projects.get(parent_id) === project_id);
}

function notFound(): CofferError {
  return new CofferError('not_found', 'Consumer not found.');
}
