import { expect } from 'vitest';
import { isAllowed, type Step, type World } from './world.ts';

type Perform = (world: World, step: Step) => Promise<void>;

const plain = { headers: { 'content-type': 'text/plain' } };

/** Steps on secrets, their payloads and their user metadata. */
export const SECRET_STEPS: Readonly<Record<string, Perform>> = {
  'store a secret': async (world, step) => {
    const who = world.who(step);
    const payload = step.flag ? `${step.text}!` : null;
    const upload = payload === null ? {} : { payload, payload_content_type: 'text/plain' };
    const reply = await who.client.post('/v1/secrets', { name: step.text, ...upload });
    if (!isAllowed(reply, 'secrets:post', who)) return;
    if (world.model.isFull(who.project, 'secrets')) {
      expect(reply.status).toBe(403);
      return;
    }
    expect(reply.status).toBe(201);
    world.model.secrets.push({
      id: String(reply.json.secret_ref).slice(-36),
      project: who.project,
      creator: who.user,
      name: step.text,
      acl: null,
      isDeleted: false,
      payload,
      contentType: 'text/plain',
      metadata: new Map(),
      consumers: [],
    });
  },
  'get a secret': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const reply = await who.client.get(`/v1/secrets/${secret.id}`, { version: '1.1' });
    if (!isAllowed(reply, 'secret:get', who, secret)) return;
    expect(reply.status).toBe(200);
    const { name, creator_id, content_types } = reply.json;
    const expected = secret.payload === null ? undefined : { default: secret.contentType };
    expect([name, creator_id, content_types]).toEqual([secret.name, secret.creator, expected]);
  },
  'read a payload': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const reply = await who.client.get(`/v1/secrets/${secret.id}/payload`);
    if (!isAllowed(reply, 'secret:decrypt', who, secret)) return;
    if (secret.payload === null) expect(reply.status).toBe(404);
    else expect([reply.status, reply.text]).toEqual([200, secret.payload]);
  },
  'put a payload': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const reply = await who.client.put(`/v1/secrets/${secret.id}`, `${step.text}?`, plain);
    if (!isAllowed(reply, 'secret:put', who, secret)) return;
    expect(reply.status).toBe(secret.payload === null ? 204 : 409);
    secret.payload ??= `${step.text}?`;
  },
  'delete a secret': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const isForced = step.count % 2 === 0;
    const query = isForced ? '?force=true' : '';
    const version = step.flag ? '1.2' : '1.1';
    const reply = await who.client.delete(`/v1/secrets/${secret.id}${query}`, { version });
    if (!isAllowed(reply, 'secret:delete', who, secret)) return;
    if (version === '1.2' && !isForced && secret.consumers.length > 0) {
      expect(reply.status).toBe(400);
      return;
    }
    expect(reply.status).toBe(204);
    secret.isDeleted = true;
  },
  'list secrets by name': async (world, step) => {
    const who = world.who(step);
    const reply = await who.client.get(`/v1/secrets?name=${step.text}&limit=${step.count + 1}`);
    if (!isAllowed(reply, 'secrets:get', who)) return;
    const matching = world.model.secretsOf(who.project).filter(({ name }) => name === step.text);
    // An empty name is no filter.
    const expected = step.text === '' ? world.model.secretsOf(who.project) : matching;
    expect([reply.status, reply.json.total]).toEqual([200, expected.length]);
    expect(reply.json.secrets).toHaveLength(Math.min(expected.length, step.count + 1));
  },
  'replace user metadata': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const metadata = step.flag ? { [step.key]: step.text } : {};
    const reply = await who.client.put(`/v1/secrets/${secret.id}/metadata`, { metadata });
    if (!isAllowed(reply, 'secret_meta:put', who, secret)) return;
    expect(reply.status).toBe(201);
    secret.metadata = new Map(Object.entries(metadata));
  },
  'add a key of user metadata': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const body = { key: step.key, value: step.text };
    const reply = await who.client.post(`/v1/secrets/${secret.id}/metadata`, body);
    if (!isAllowed(reply, 'secret_meta:post', who, secret)) return;
    expect(reply.status).toBe(secret.metadata.has(step.key) ? 409 : 201);
    if (!secret.metadata.has(step.key)) secret.metadata.set(step.key, step.text);
  },
  'delete a key of user metadata': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const reply = await who.client.delete(`/v1/secrets/${secret.id}/metadata/${step.key}`);
    if (!isAllowed(reply, 'secret_meta:delete', who, secret)) return;
    expect(reply.status).toBe(204);
    secret.metadata.delete(step.key);
  },
  'get user metadata': async (world, step) => {
    const [who, secret] = [world.who(step), world.secret(step.at)];
    if (secret === undefined) return;
    const reply = await who.client.get(`/v1/secrets/${secret.id}/metadata`);
    if (!isAllowed(reply, 'secret_meta:get', who, secret)) return;
    expect(reply.json).toEqual({ metadata: Object.fromEntries(secret.metadata) });
  },
};
