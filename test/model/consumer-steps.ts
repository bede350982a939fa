import { expect } from 'vitest';
import { isAllowed, type Step, type World } from './world.ts';

type Perform = (world: World, step: Step) => Promise<void>;

const secretConsumer = ({ key, count }: Step) => ({
  service: key,
  resource_type: 'image',
  resource_id: `id-${count % 2}`,
});
const containerConsumer = ({ key, count }: Step) => ({ name: key, URL: `lbaas://${count % 2}` });

function isSame(a: object, b: Record<string, string>): boolean {
  return Object.entries(b).every(([name, value]) => (a as Record<string, string>)[name] === value);
}

/** Steps on the consumers of secrets and of containers. */
export const CONSUMER_STEPS: Readonly<Record<string, Perform>> = {
  'add a consumer to a secret': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const consumer = secretConsumer(step);
    const reply = await who.client.post(`/v1/secrets/${secret.id}/consumers`, consumer);
    if (!isAllowed(reply, 'secret_consumers:post', who, secret)) return;
    expect(reply.status).toBe(200);
    if (!secret.consumers.some((known) => isSame(known, consumer))) {
      secret.consumers.push({ ...consumer, project: who.project });
    }
    expect(reply.json.consumers).toHaveLength(secret.consumers.length);
  },
  'take a consumer from a secret': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const body = secretConsumer(step);
    const reply = await who.client.delete(`/v1/secrets/${secret.id}/consumers`, { body });
    if (!isAllowed(reply, 'secret_consumers:delete', who, secret)) return;
    const at = secret.consumers.findIndex((known) => isSame(known, body));
    const owns = secret.project === who.project || secret.consumers[at]?.project === who.project;
    if (at < 0) expect(reply.status).toBe(404);
    else expect(reply.status).toBe(owns ? 200 : 403);
    if (at >= 0 && owns) secret.consumers.splice(at, 1);
  },
  'list the consumers of a secret': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const reply = await who.client.get(`/v1/secrets/${secret.id}/consumers`);
    if (!isAllowed(reply, 'secret_consumers:get', who, secret)) return;
    expect([reply.status, reply.json.total]).toEqual([200, secret.consumers.length]);
  },
  'add a consumer to a container': async (world, step) => {
    const [who, container] = [world.who(step), world.container(step.at)];
    if (container === undefined) return;
    const consumer = containerConsumer(step);
    const reply = await who.client.post(`/v1/containers/${container.id}/consumers`, consumer);
    if (!isAllowed(reply, 'container_consumers:post', who, container)) return;
    expect(reply.status).toBe(200);
    if (!container.consumers.some((known) => isSame(known, consumer))) {
      container.consumers.push({ ...consumer, project: who.project });
    }
    expect(reply.json.consumers).toHaveLength(container.consumers.length);
  },
  'take a consumer from a container': async (world, step) => {
    const [who, container] = [world.who(step), world.container(step.at)];
    if (container === undefined) return;
    const body = containerConsumer(step);
    const reply = await who.client.delete(`/v1/containers/${container.id}/consumers`, { body });
    if (!isAllowed(reply, 'container_consumers:delete', who, container)) return;
    const at = container.consumers.findIndex((known) => isSame(known, body));
    const owns = container.project === who.project || container.consumers[at]?.project === who.project;
    if (at < 0) expect(reply.status).toBe(404);
    else expect(reply.status).toBe(owns ? 200 : 403);
    if (at >= 0 && owns) container.consumers.splice(at, 1);
  },
};
