import type { Coffer } from '../coffer.ts';
import type { ContainerRow } from '../db/schema.ts';
import { sealRow, swapRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { operate } from '../operation.ts';
import type { Caller } from '../policy/actor.ts';
import { parseContainerSecret, requireRoom, type WantedSlot } from './schema.ts';
import { findSlotSecret, onContainer, referenceReader, requireUnchanged, withKeptSlots } from './service.ts';
import { encodeSlots, type Slot } from './slots.ts';

/** Adds a secret to a generic container: under several names, and several under one name. */
export async function addSecret(
  coffer: Coffer,
  caller: Caller,
  id: string,
  readBody: () => Promise<unknown>,
): Promise<void> {
  await operate(coffer, caller, {
    ...onContainer(coffer, id, 'container_secret:post', 'Container Secret creation'),
    run: async (row) => {
      const body = await readBody();
      if (row.type !== 'generic') {
        throw new CofferError('bad_request', "Only 'generic' containers can be modified.");
      }
      const wanted = parseContainerSecret(body, referenceReader(coffer));
      const secret = await findSlotSecret(coffer, row.project_id, wanted);
      if (secret === undefined) throw new CofferError('not_found', "Secret provided doesn't exist.");
      const slots = await keptSlots(coffer, row);
      if (slots.some((slot) => isSame(slot, wanted))) throw alreadyThere();
      requireRoom(slots.length + 1);
      const next = await withSlots(coffer, row, [...slots, { name: wanted.name, secretId: secret.id }]);
      await coffer.db.transaction(async (tx) => {
        await requireUnchanged(tx, [secret]);
        await swapRow(tx, 'containers', row, next);
      });
    },
  });
}

/** Takes a secret out of a container of any type; an expired one too, which the container still shows. */
export async function removeSecret(
  coffer: Coffer,
  caller: Caller,
  id: string,
  readBody: () => Promise<unknown>,
): Promise<void> {
  await operate(coffer, caller, {
    ...onContainer(coffer, id, 'container_secret:delete', 'Container Secret deletion'),
    run: async (row) => {
      const wanted = parseContainerSecret(await readBody(), referenceReader(coffer));
      const slots = await keptSlots(coffer, row);
      const left = slots.filter((slot) => !isSame(slot, wanted));
      if (left.length === slots.length) throw await notThere(coffer, row, wanted);
      await swapRow(coffer.db, 'containers', row, await withSlots(coffer, row, left));
    },
  });
}

async function keptSlots(coffer: Coffer, row: ContainerRow): Promise<readonly Slot[]> {
  const [container] = await withKeptSlots(coffer, row.project_id, [row]);
  return container?.slots ?? [];
}

/** The row with other slots, sealed. A change drops the slots of deleted secrets for good. */
async function withSlots(coffer: Coffer, row: ContainerRow, slots: readonly Slot[]): Promise<ContainerRow> {
  return await sealRow(coffer.keyring, 'containers', {
    ...row,
    slots: encodeSlots(slots),
    updated: coffer.clock.now(),
    revision: row.revision + 1n,
  });
}

function isSame(slot: Slot, wanted: WantedSlot): boolean {
  return slot.secretId === wanted.secretId && slot.name === wanted.name;
}

function alreadyThere(): CofferError {
  return new CofferError(
    'conflict',
    'Conflict. A secret with that name and ID is already stored in this container. ' +
      'The same secret can exist in a container as long as the name is unique.',
  );
}

async function notThere(coffer: Coffer, row: ContainerRow, wanted: WantedSlot): Promise<CofferError> {
  if ((await findSlotSecret(coffer, row.project_id, wanted)) !== undefined) {
    return new CofferError('not_found', 'Secret provided is not in the container');
  }
  const { name, reference } = wanted;
  return new CofferError(
    'not_found',
    `Secret '${name ?? 'None'}' with reference '${reference}' doesn't exist.`,
  );
}
