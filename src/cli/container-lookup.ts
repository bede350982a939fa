import { type Coffer, type Container, findContainerId } from '../client/index.ts';
import { type CommandContext, listFlag, UsageError } from './command.ts';
import { findByName, type Found } from './name-lookup.ts';
import { type Fields, type Format, formatJson, formatOne } from './output.ts';
import { findSecret } from './secret-lookup.ts';

/** By id or reference, else the only container of exactly this name. */
export async function findContainer(coffer: Coffer, text: string): Promise<Found> {
  const id = findContainerId(text);
  if (id !== undefined) return { id, name: null };
  return await findByName('container', text, (name) => coffer.containers.list({ name }));
}

/** What is known of a container, in the wire's names and with times that say their zone. */
export function fieldsOf({ slots, consumers, ...container }: Container): Fields {
  return {
    id: container.id,
    name: container.name,
    type: container.type,
    secrets: slots.map(({ name, secretId }) => (name === null ? secretId : `${name}=${secretId}`)).join(' '),
    consumers: consumers.map(({ name, url }) => `${name}=${url}`).join(' '),
    status: container.status,
    created: container.created.toISOString(),
    updated: container.updated.toISOString(),
    creator_id: container.creatorId,
    container_ref: container.ref,
  };
}

/** Secrets and consumers are lists in JSON, and one line elsewhere. */
export function formatContainer(container: Container, format: Format): string {
  const fields = fieldsOf(container);
  if (format !== 'json') return formatOne(fields, format);
  const secrets = container.slots.map(({ name, secretId }) => ({ name, secret_id: secretId }));
  return formatJson({ ...fields, secrets, consumers: container.consumers });
}

export const secretFlag = {
  type: 'string',
  multiple: true,
  description: 'A secret and its name in the container; repeat it for more.',
  placeholder: 'SLOT=ID|NAME',
} as const;

/** The ids of the secrets of `--secret`, in its order, by their names in the container. */
export async function readSlots(
  coffer: Coffer,
  context: CommandContext,
): Promise<[slot: string, secretId: string][]> {
  const wanted = listFlag(context, 'secret').map((text) => {
    const [, slot, secret] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    if (slot === undefined || secret === undefined) {
      throw new UsageError('--secret takes SLOT=SECRET, as certificate=site-cert');
    }
    return [slot.trim(), secret] as const;
  });
  const slots: [string, string][] = [];
  for (const [slot, secret] of wanted) slots.push([slot, (await findSecret(coffer, secret)).id]);
  return slots;
}
