import { expect } from 'vitest';
import type { Slot } from './model.ts';
import { isAllowed, type Step, type World } from './world.ts';

type Perform = (world: World, step: Step) => Promise<void>;

const reference = (id: string): string => `https://kms.example:9311/v1/secrets/${id}`;
const byName = (a: { name: string; id: string }, b: { name: string; id: string }): number =>
  `${a.name} ${a.id}` < `${b.name} ${b.id}` ? -1 : 1;

function shownSlots(slots: readonly Slot[]): { name: string; id: string }[] {
  return slots.map(({ name, secret }) => ({ name, id: secret.id })).sort(byName);
}

function readSlots(refs: { name: string | null; secret_ref: string }[]): { name: string; id: string }[] {
  return refs.map(({ name, secret_ref }) => ({ name: name ?? '', id: secret_ref.slice(-36) })).sort(byName);
}

/** Steps on generic containers and what is in them. */
export const CONTAINER_STEPS: Readonly<Record<string, Perform>> = {
  'make a container': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    const isFilled = step.flag && secret !== undefined;
    const secret_refs = isFilled ? [{ name: step.key, secret_ref: reference(secret.id) }] : [];
    const body = { type: 'generic', name: step.text, secret_refs };
    const reply = await who.client.post('/v1/containers', body);
    if (!isAllowed(reply, 'containers:post', who)) return;
    if (world.model.isFull(who.project, 'containers')) {
      expect(reply.status).toBe(403);
      return;
    }
    if (isFilled && (secret.isDeleted || secret.project !== who.project)) {
      expect(reply.status).toBe(404);
      return;
    }
    expect(reply.status).toBe(201);
    world.model.containers.push({
      id: String(reply.json.container_ref).slice(-36),
      project: who.project,
      creator: who.user,
      name: step.text,
      acl: null,
      isDeleted: false,
      slots: isFilled ? [{ name: step.key, secret }] : [],
      consumers: [],
    });
  },
  'get a container': async (world, step) => {
    const [who, container] = [world.who(step), world.container(step.at)];
    if (container === undefined) return;
    const reply = await who.client.get(`/v1/containers/${container.id}`);
    if (!isAllowed(reply, 'container:get', who, container)) return;
    const { name, type, creator_id, secret_refs, consumers } = reply.json;
    expect([name, type, creator_id]).toEqual([container.name, 'generic', container.creator]);
    expect(readSlots(secret_refs)).toEqual(shownSlots(world.model.slotsOf(container)));
    const expected = container.consumers.map(({ name: consumer, URL }) => ({ name: consumer, URL }));
    expect(consumers).toHaveLength(expected.length);
    expect(consumers).toEqual(expect.arrayContaining(expected));
  },
  'list containers': async (world, step) => {
    const who = world.who(step);
    const reply = await who.client.get(`/v1/containers?limit=${step.count + 1}&offset=${step.other % 3}`);
    if (!isAllowed(reply, 'containers:get', who)) return;
    const all = world.model.containersOf(who.project).length;
    const shown = Math.max(0, Math.min(step.count + 1, all - (step.other % 3)));
    expect([reply.json.total, reply.json.containers.length]).toEqual([all, shown]);
  },
  'delete a container': async (world, step) => {
    const [who, container] = [world.who(step), world.container(step.at)];
    if (container === undefined) return;
    const reply = await who.client.delete(`/v1/containers/${container.id}`);
    if (!isAllowed(reply, 'container:delete', who, container)) return;
    expect(reply.status).toBe(204);
    container.isDeleted = true;
  },
  'add a secret to a container': async (world, step) => {
    const [who, container] = [world.who(step), world.container(step.at)];
    const secret = world.secret(step.other);
    if (container === undefined || secret === undefined) return;
    const body = { name: step.key, secret_ref: reference(secret.id) };
    const reply = await who.client.post(`/v1/containers/${container.id}/secrets`, body);
    if (!isAllowed(reply, 'container_secret:post', who, container)) return;
    if (secret.isDeleted || secret.project !== container.project) {
      expect(reply.status).toBe(404);
      return;
    }
    const isThere = container.slots.some((slot) => slot.name === step.key && slot.secret === secret);
    expect(reply.status).toBe(isThere ? 409 : 201);
    if (!isThere) container.slots.push({ name: step.key, secret });
  },
  'take a secret out of a container': async (world, step) => {
    const [who, container] = [world.who(step), world.container(step.at)];
    const slot = container?.slots[step.other % Math.max(1, container.slots.length)];
    if (container === undefined || slot === undefined) return;
    const name = step.flag ? slot.name : step.key;
    const body = { name, secret_ref: reference(slot.secret.id) };
    const reply = await who.client.delete(`/v1/containers/${container.id}/secrets`, { body });
    if (!isAllowed(reply, 'container_secret:delete', who, container)) return;
    const at = container.slots.findIndex((known) => known.name === name && known.secret === slot.secret);
    const isThere = at >= 0 && !slot.secret.isDeleted;
    expect(reply.status).toBe(isThere ? 204 : 404);
    if (isThere) container.slots.splice(at, 1);
  },
};
