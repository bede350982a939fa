import { randomUUID } from 'node:crypto';
import type { Client, Reply } from '../contract/raw-http.ts';
import { serviceOperations } from './service-operations.ts';
import type { Person, StartedCoffer } from '../harness/start-coffer.ts';

/** What an operation is tried on, made anew for every try. */
export interface Trial {
  act(): Promise<Reply>;
  /** What clients can see of it, without ids and times. */
  look(): Promise<unknown>;
}

export interface Operation {
  title: string;
  /** The statuses of a success; the first is that of a first success, the others those of a repetition. */
  statuses: readonly number[];
  prepare(stage: Stage): Promise<Trial>;
}

export interface Stage {
  coffer: StartedCoffer;
  /** Has every role, in a project of the trial's own. */
  person: Person;
}

const payload = { payload: 'to be kept', payload_content_type: 'text/plain' };

async function storeSecret(client: Client, body: object = payload): Promise<string> {
  const reply = await client.post('/v1/secrets', { name: randomUUID(), ...body });
  if (reply.status !== 201) throw new Error(`could not store: ${reply.status} ${reply.text}`);
  return new URL(reply.json.secret_ref).pathname;
}

/** How many there are of a collection: `total` is what a client sees. */
async function total(client: Client, path: string): Promise<number> {
  return Number((await client.get(path)).json.total);
}

async function statusAndText(client: Client, path: string): Promise<unknown> {
  const { status, text } = await client.get(path);
  return [status, text];
}

const CONSUMER = { service: 'nova', resource_type: 'SERVER', resource_id: 'one' };

function onSecret(
  title: string,
  statuses: readonly number[],
  act: (client: Client, path: string) => Promise<Reply>,
  look: (client: Client, path: string) => Promise<unknown>,
  body: object = payload,
  before: (client: Client, path: string) => Promise<unknown> = async () => {},
): Operation {
  return {
    title,
    statuses,
    prepare: async ({ person: { client } }) => {
      const path = await storeSecret(client, body);
      await before(client, path);
      return { act: async () => await act(client, path), look: async () => await look(client, path) };
    },
  };
}

const secretOperations: readonly Operation[] = [
  {
    title: 'the first secret of a project',
    statuses: [201],
    prepare: async ({ person: { client } }) => ({
      act: async () => await client.post('/v1/secrets', payload),
      look: async () => await total(client, '/v1/secrets'),
    }),
  },
  onSecret(
    'a second secret',
    [201],
    async (client) => await client.post('/v1/secrets', payload),
    async (client) => await total(client, '/v1/secrets'),
  ),
  onSecret(
    'a payload put in later',
    [204, 409],
    async (client, path) => await client.put(path, 'later', { headers: { 'content-type': 'text/plain' } }),
    async (client, path) => await statusAndText(client, `${path}/payload`),
    {},
  ),
  onSecret(
    'a payload read',
    [200],
    async (client, path) => await client.get(`${path}/payload`),
    async (client, path) => await statusAndText(client, `${path}/payload`),
  ),
  onSecret(
    'a list',
    [200],
    async (client) => await client.get('/v1/secrets?name=%25&sort=name'),
    async (client) => await total(client, '/v1/secrets'),
  ),
  onSecret(
    'a deletion',
    [204, 404],
    async (client, path) => await client.delete(path),
    async (client, path) => (await client.get(path)).status,
  ),
  onSecret(
    'user metadata',
    [201],
    async (client, path) => await client.put(`${path}/metadata`, { metadata: { one: '1', two: '2' } }),
    async (client, path) => await statusAndText(client, `${path}/metadata`),
  ),
  onSecret(
    'a key of user metadata',
    [201, 409],
    async (client, path) => await client.post(`${path}/metadata`, { key: 'one', value: '1' }),
    async (client, path) => await statusAndText(client, `${path}/metadata`),
  ),
  onSecret(
    'an ACL',
    [200],
    async (client, path) => await client.put(`${path}/acl`, { read: { 'project-access': false } }),
    async (client, path) => (await client.get(`${path}/acl`)).json.read['project-access'],
  ),
  onSecret(
    'a consumer',
    [200],
    async (client, path) => await client.post(`${path}/consumers`, CONSUMER),
    async (client, path) => await total(client, `${path}/consumers`),
  ),
  onSecret(
    'a deletion of a secret with consumers',
    [204, 404],
    async (client, path) => await client.delete(`${path}?force=true`, { version: '1.2' }),
    async (client, path) => (await client.get(path)).status,
    payload,
    async (client, path) => await client.post(`${path}/consumers`, CONSUMER),
  ),
];

const ORDER = { type: 'key', meta: { algorithm: 'aes', bit_length: 256 } };

const orderOperations: readonly Operation[] = [
  {
    title: 'an order',
    statuses: [202],
    prepare: async ({ person: { client } }) => ({
      act: async () => await client.post('/v1/orders', ORDER),
      look: async () => await total(client, '/v1/orders'),
    }),
  },
  {
    title: 'an order with a passphrase',
    statuses: [202],
    prepare: async ({ person: { client } }) => ({
      act: async () =>
        await client.post('/v1/orders', {
          type: 'asymmetric',
          meta: { algorithm: 'rsa', bit_length: 2048, passphrase: 'words' },
        }),
      look: async () => await total(client, '/v1/orders'),
    }),
  },
  {
    title: 'a deletion of an order',
    statuses: [204, 404],
    prepare: async ({ person: { client } }) => {
      const path = new URL((await client.post('/v1/orders', ORDER)).json.order_ref).pathname;
      return {
        act: async () => await client.delete(path),
        look: async () => (await client.get(path)).status,
      };
    },
  },
];

const USER_OF_CONTAINER = { name: 'lbaas', URL: 'lbaas://region/lb/1' };

function onContainer(
  title: string,
  statuses: readonly number[],
  act: (client: Client, path: string) => Promise<Reply>,
  look: (client: Client, path: string) => Promise<unknown>,
): Operation {
  return {
    title,
    statuses,
    prepare: async ({ person: { client } }) => {
      const { container_ref } = (await client.post('/v1/containers', { type: 'generic' })).json;
      const path = new URL(container_ref).pathname;
      await client.post(`${path}/consumers`, { ...USER_OF_CONTAINER, name: 'first' });
      return { act: async () => await act(client, path), look: async () => await look(client, path) };
    },
  };
}

const containerOperations: readonly Operation[] = [
  onContainer(
    'an ACL of a container',
    [200],
    async (client, path) => await client.put(`${path}/acl`, { read: { 'project-access': false } }),
    async (client, path) => (await client.get(`${path}/acl`)).json.read['project-access'],
  ),
  onContainer(
    'a consumer of a container',
    [200],
    async (client, path) => await client.post(`${path}/consumers`, USER_OF_CONTAINER),
    async (client, path) => await total(client, `${path}/consumers`),
  ),
  onContainer(
    'a deletion of a container with consumers',
    [204, 404],
    async (client, path) => await client.delete(path),
    async (client, path) => (await client.get(path)).status,
  ),
];

function onFilledContainer(
  title: string,
  statuses: readonly number[],
  act: (client: Client, container: string, slot: object) => Promise<Reply>,
  isFilled = false,
): Operation {
  return {
    title,
    statuses,
    prepare: async ({ person: { client } }) => {
      const slot = { name: 'one', secret_ref: (await storeSecret(client)).slice(-36) };
      const made = await client.post('/v1/containers', {
        type: 'generic',
        secret_refs: isFilled ? [slot] : [],
      });
      const path = new URL(made.json.container_ref).pathname;
      return {
        act: async () => await act(client, path, slot),
        look: async () => {
          const { status, json } = await client.get(path);
          return [status, json.secret_refs?.length, await total(client, '/v1/containers')];
        },
      };
    },
  };
}

const slotOperations: readonly Operation[] = [
  onFilledContainer(
    'a container',
    [201],
    async (client, _, slot) => await client.post('/v1/containers', { type: 'generic', secret_refs: [slot] }),
  ),
  onFilledContainer(
    'a certificate container, whose parts are looked at',
    [201],
    async (client, _, { secret_ref }: { secret_ref?: string }) => {
      const secret_refs = [{ name: 'certificate', secret_ref }];
      return await client.post('/v1/containers', { type: 'certificate', secret_refs });
    },
  ),
  onFilledContainer('a container shown', [200], async (client, path) => await client.get(path), true),
  onFilledContainer(
    'a list of containers',
    [200],
    async (client) => await client.get('/v1/containers'),
    true,
  ),
  onFilledContainer(
    'a secret put into a container',
    [201, 409],
    async (client, path, slot) => await client.post(`${path}/secrets`, slot),
  ),
  onFilledContainer(
    'a secret taken out of a container',
    [204, 404],
    async (client, path, slot) => await client.delete(`${path}/secrets`, { body: slot }),
    true,
  ),
  onFilledContainer(
    'a container deleted',
    [204, 404],
    async (client, path) => await client.delete(path),
    true,
  ),
];

export const OPERATIONS: readonly Operation[] = [
  ...secretOperations,
  ...containerOperations,
  ...slotOperations,
  ...orderOperations,
  ...serviceOperations,
];
