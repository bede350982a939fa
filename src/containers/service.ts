import { randomUUID } from 'node:crypto';
import { aclTarget } from '../acl/record.ts';
import type { Coffer } from '../coffer.ts';
import { type ConsumerFields, containerConsumers } from '../consumers/record.ts';
import { findConsumers, removeAllConsumers } from '../consumers/service.ts';
import type { Queryable } from '../db/open.ts';
import type { ContainerRow, ProjectRow, SecretRow } from '../db/schema.ts';
import { deleteRow, insertRow, openRow, sealRow, StaleRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { parseReference } from '../http/refs.ts';
import { openListed, operate, requireProject } from '../operation.ts';
import type { Action } from '../policy/actions.ts';
import type { Caller } from '../policy/actor.ts';
import type { Target } from '../policy/target.ts';
import { writeWithinQuota } from '../quotas/enforce.ts';
import { findLiveSecret } from '../secrets/service.ts';
import { findPartsRefusal } from './checked-parts.ts';
import type { ContainerFilter } from './list-filter.ts';
import { findContainer, findKeptSecrets, listContainers, lockSecrets } from './queries.ts';
import { parseNewContainer, type WantedSlot } from './schema.ts';
import { decodeSlots, encodeSlots, type Slot } from './slots.ts';

/** A verified row with the slots whose secret has not been deleted. */
export interface Container {
  row: ContainerRow;
  slots: readonly Slot[];
}

/** A container as it is shown. */
export interface ContainerView extends Container {
  consumers: readonly ConsumerFields[];
}

/** Makes a container. `readBody` gives the parsed JSON once the right is established. */
export async function createContainer(
  coffer: Coffer,
  caller: Caller,
  readBody: () => Promise<unknown>,
): Promise<string> {
  const name = 'Container creation';
  return await operate(coffer, caller, {
    action: 'containers:post',
    name,
    run: async () => {
      const wanted = parseNewContainer(await readBody(), referenceReader(coffer));
      const project = await coffer.keyring.useProject(requireProject(caller));
      const { slots, secrets, missing } = await findSlots(coffer, project.id, wanted.slots);
      const creatorId = caller.actor.userId === '' ? null : caller.actor.userId;
      const row = await sealContainer(coffer, project, { ...wanted, creatorId, slots });
      const refusal =
        missing === undefined
          ? await findPartsRefusal(coffer, caller, wanted.type, slots, secrets)
          : noSecretFor(missing);
      await writeWithinQuota(coffer, project, 'containers', name, async (db) => {
        // Told only now: a quota that is used up comes first.
        if (refusal !== undefined) throw refusal;
        const insert = async (tx: Queryable) => {
          await requireUnchanged(tx, secrets);
          await insertContainer(tx, project, row);
        };
        await (db === coffer.db ? coffer.db.transaction(insert) : insert(db));
      });
      return row.id;
    },
  });
}

interface ContainerParts {
  type: string;
  name: string | null;
  creatorId: string | null;
  slots: readonly Slot[];
}

/** A new container's row, for `insertContainer`. */
export async function sealContainer(
  coffer: Coffer,
  project: ProjectRow,
  { type, name, creatorId, slots }: ContainerParts,
): Promise<ContainerRow> {
  const created = coffer.clock.now();
  return await sealRow(coffer.keyring, 'containers', {
    id: randomUUID(),
    project_id: project.id,
    creator_id: creatorId,
    name,
    type,
    status: 'ACTIVE',
    slots: encodeSlots(slots),
    acl: null,
    created,
    updated: created,
    revision: 1n,
    epoch: project.active_epoch,
  });
}

/**
 * Writes a new container, in the caller's transaction, resting on the project's row. Whoever calls has judged
 * the right, and that the secrets are there: made or locked in the same transaction.
 *
 * @throws StaleRow when the project's row changed since it was read.
 */
export async function insertContainer(tx: Queryable, project: ProjectRow, row: ContainerRow): Promise<void> {
  const resting = { table: 'projects', id: project.id, seal: project.seal } as const;
  await insertRow(tx, 'containers', row, { resting });
}

export async function getContainer(coffer: Coffer, caller: Caller, id: string): Promise<ContainerView> {
  return await operate(coffer, caller, {
    ...onContainer(coffer, id, 'container:get', 'Container retrieval'),
    run: async (row) => await viewContainer(coffer, caller, row),
  });
}

export async function viewContainer(
  coffer: Coffer,
  caller: Caller,
  row: ContainerRow,
): Promise<ContainerView> {
  const [container] = await viewContainers(coffer, caller, row.project_id, [row]);
  return container as ContainerView;
}

async function viewContainers(
  coffer: Coffer,
  caller: Caller,
  projectId: string,
  rows: readonly ContainerRow[],
): Promise<ContainerView[]> {
  const [containers, consumers] = await Promise.all([
    withKeptSlots(coffer, projectId, rows),
    findConsumers(coffer, caller, containerConsumers, rows),
  ]);
  return containers.map((container) => ({
    ...container,
    consumers: consumers.get(container.row.id) ?? [],
  }));
}

/** The container goes, and its consumers with it; its secrets stay. */
export async function deleteContainer(coffer: Coffer, caller: Caller, id: string): Promise<void> {
  await operate(coffer, caller, {
    ...onContainer(coffer, id, 'container:delete', 'Container deletion'),
    run: async (row) => {
      await coffer.db.transaction(async (tx) => {
        await deleteRow(tx, 'containers', row);
        await removeAllConsumers(tx, containerConsumers, row.id);
      });
    },
  });
}

/**
 * A page of the caller's project. A row that does not verify is left out, counted and logged; the rest is
 * served.
 */
export async function listProjectContainers(
  coffer: Coffer,
  caller: Caller,
  readFilter: () => ContainerFilter,
  page: { offset: number; limit: number },
): Promise<{ containers: ContainerView[]; total: number }> {
  return await operate(coffer, caller, {
    action: 'containers:get',
    name: 'Containers(s) retrieval',
    run: async () => {
      const projectId = requireProject(caller);
      const { rows, total } = await listContainers(coffer.db, projectId, readFilter(), page);
      const asked = { project_id: projectId };
      const verified = await openListed(coffer, caller, 'containers', asked, rows);
      return { containers: await viewContainers(coffer, caller, projectId, verified), total };
    },
  });
}

/** The part of an operation that everything about one container has in common. */
export function onContainer(
  coffer: Coffer,
  id: string,
  action: Action,
  name: string,
): {
  action: Action;
  name: string;
  load: () => Promise<ContainerRow>;
  target: (container: ContainerRow) => Target & { id: string };
} {
  return { action, name, load: async () => await loadContainer(coffer, id), target: containerTarget };
}

async function loadContainer(coffer: Coffer, id: string): Promise<ContainerRow> {
  const row = await findContainer(coffer.db, id);
  if (row === undefined) throw new CofferError('not_found', 'Secrets container not found.');
  return await openRow(coffer.keyring, 'containers', { id }, row);
}

function containerTarget({ id, project_id, creator_id, acl }: ContainerRow): Target & { id: string } {
  return { id, projectId: project_id, creatorId: creator_id, ...aclTarget(acl) };
}

/** One question for the secrets of all of them. */
export async function withKeptSlots(
  coffer: Coffer,
  projectId: string,
  rows: readonly ContainerRow[],
): Promise<Container[]> {
  const containers = rows.map((row) => ({ row, slots: decodeSlots(row.slots) }));
  const ids = containers.flatMap(({ slots }) => slots.map(({ secretId }) => secretId));
  const kept = await findKeptSecrets(coffer.db, projectId, ids);
  return containers.map(({ row, slots }) => ({
    row,
    slots: slots.filter(({ secretId }) => kept.has(secretId)),
  }));
}

async function findSlots(
  coffer: Coffer,
  projectId: string,
  wanted: readonly WantedSlot[],
): Promise<{ slots: Slot[]; secrets: SecretRow[]; missing: WantedSlot | undefined }> {
  const found = await Promise.all(wanted.map(async (slot) => await findSlotSecret(coffer, projectId, slot)));
  return {
    slots: found.flatMap((secret, index) => {
      return secret === undefined ? [] : [{ name: wanted[index]?.name ?? null, secretId: secret.id }];
    }),
    secrets: found.filter((secret) => secret !== undefined),
    missing: wanted[found.indexOf(undefined)],
  };
}

/**
 * The secret that a slot asks for, if the project has it: deleted, expired and foreign ones alike are not
 * there.
 */
export async function findSlotSecret(
  coffer: Coffer,
  projectId: string,
  { secretId }: WantedSlot,
): Promise<SecretRow | undefined> {
  if (secretId === undefined) return undefined;
  const secret = await findLiveSecret(coffer, secretId);
  return secret?.project_id === projectId ? secret : undefined;
}

/**
 * Holds the secrets until the transaction ends. @throws StaleRow when one changed or went since it was read.
 */
export async function requireUnchanged(tx: Queryable, secrets: readonly SecretRow[]): Promise<void> {
  if (secrets.length > 0 && (await lockSecrets(tx, secrets)) !== secrets.length) throw new StaleRow();
}

export function referenceReader(coffer: Coffer): (reference: string) => string | undefined {
  return (reference) => parseReference(coffer, 'secrets', reference);
}

function noSecretFor({ name }: WantedSlot): CofferError {
  return new CofferError('not_found', `Secret provided for '${name ?? 'None'}' doesn't exist.`);
}
