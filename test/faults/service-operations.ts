import type { Client } from '../contract/raw-http.ts';
import type { Operation } from './operations.ts';

const KEY = { plugin_name: 'dogtag', transport_key: 'a key' };

async function statusAndText(client: Client, path: string): Promise<unknown> {
  const { status, text } = await client.get(path);
  return [status, text];
}

/** What concerns a project or the service, and no single secret. */
export const serviceOperations: readonly Operation[] = [
  {
    title: 'a secret under a limit',
    statuses: [201],
    prepare: async ({ person: { client, projectId } }) => {
      await client.put(`/v1/project-quotas/${projectId}`, { project_quotas: { secrets: 5 } });
      return {
        act: async () => await client.post('/v1/secrets', {}),
        look: async () => Number((await client.get('/v1/secrets')).json.total),
      };
    },
  },
  {
    title: 'limits of a project',
    statuses: [204],
    prepare: async ({ person: { client, projectId } }) => {
      const path = `/v1/project-quotas/${projectId}`;
      return {
        act: async () => await client.put(path, { project_quotas: { secrets: 5 } }),
        look: async () => await statusAndText(client, path),
      };
    },
  },
  {
    title: 'limits of a project that nobody knows yet',
    statuses: [204],
    prepare: async ({ person: { client } }) => {
      const path = `/v1/project-quotas/${crypto.randomUUID()}`;
      return {
        act: async () => await client.put(path, { project_quotas: { secrets: 5 } }),
        look: async () => await statusAndText(client, path),
      };
    },
  },
  {
    title: 'limits taken away',
    statuses: [204, 404],
    prepare: async ({ person: { client, projectId } }) => {
      const path = `/v1/project-quotas/${projectId}`;
      await client.put(path, { project_quotas: { secrets: 5 } });
      return {
        act: async () => await client.delete(path),
        look: async () => (await client.get(path)).status,
      };
    },
  },
  {
    title: 'another preferred store',
    statuses: [204],
    prepare: async ({ person: { client } }) => {
      await client.post('/v1/secrets', {});
      const stores = (await client.get('/v1/secret-stores')).json.secret_stores;
      const path = `${new URL(stores[1].secret_store_ref).pathname}/preferred`;
      return {
        act: async () => await client.post(path),
        look: async () => await statusAndText(client, '/v1/secret-stores/preferred'),
      };
    },
  },
  {
    title: 'a transport key',
    statuses: [201],
    prepare: async ({ person: { client } }) => {
      const path = `/v1/transport_keys?plugin_name=${crypto.randomUUID()}`;
      const plugin_name = path.split('=')[1];
      return {
        act: async () => await client.post('/v1/transport_keys', { ...KEY, plugin_name }),
        look: async () => Number((await client.get(path)).json.total),
      };
    },
  },
  {
    title: 'a deletion of a transport key',
    statuses: [204, 404],
    prepare: async ({ person: { client } }) => {
      const { transport_key_ref } = (await client.post('/v1/transport_keys', KEY)).json;
      const { pathname } = new URL(transport_key_ref);
      return {
        act: async () => await client.delete(pathname),
        look: async () => (await client.get(pathname)).status,
      };
    },
  },
];
