import { randomUUID } from 'node:crypto';
import type { Client, Reply } from '../contract/raw-http.ts';
import type { Operation, Stage } from './operations.ts';

/** The trial's administrator asks, for a thing of identity that is made anew. */
function onIdentity(
  title: string,
  statuses: readonly number[],
  begin: (client: Client, stage: Stage) => Promise<string>,
  act: (client: Client, made: string, stage: Stage) => Promise<Reply>,
  look: (client: Client, made: string, stage: Stage) => Promise<unknown>,
): Operation {
  return {
    title,
    statuses,
    prepare: async (stage) => {
      const { client } = stage.person;
      const made = await begin(client, stage);
      return {
        act: async () => await act(client, made, stage),
        look: async () => await look(client, made, stage),
      };
    },
  };
}

const V3 = '/identity/v3';
const nameOnly = async (): Promise<string> => await Promise.resolve(`faulty-${randomUUID()}`);

async function make(client: Client, collection: string, body: object): Promise<string> {
  const reply = await client.post(`${V3}/${collection}s`, { [collection]: body });
  if (reply.status !== 201) throw new Error(`could not make a ${collection}: ${reply.text}`);
  return String(reply.json[collection].id);
}

async function count(client: Client, path: string, collection: string): Promise<number> {
  return (await client.get(`${V3}${path}`)).json[collection].length as number;
}

export const IDENTITY_OPERATIONS: readonly Operation[] = [
  onIdentity(
    'a log-in',
    [201],
    nameOnly,
    async (_client, _made, { coffer, person: { name, password } }) => {
      const identity = {
        methods: ['password'],
        password: { user: { name, password, domain: { id: 'default' } } },
      };
      return await coffer.stranger.post(`${V3}/auth/tokens`, { auth: { identity } });
    },
    async () => await Promise.resolve('nothing is written'),
  ),
  onIdentity(
    'a new user',
    [201, 409],
    nameOnly,
    async (client, name) => await client.post(`${V3}/users`, { user: { name, password: 'a long password' } }),
    async (client, name) => await count(client, `/users?name=${name}`, 'users'),
  ),
  onIdentity(
    'a new project',
    [201, 409],
    nameOnly,
    async (client, name) => await client.post(`${V3}/projects`, { project: { name } }),
    async (client, name) => await count(client, `/projects?name=${name}`, 'projects'),
  ),
  onIdentity(
    'a role that is given',
    [204],
    async (client) => {
      const user = await make(client, 'user', { name: randomUUID(), password: 'a long password' });
      const { roles } = (await client.get(`${V3}/roles?name=creator`)).json;
      return `${user}/roles/${roles[0].id}`;
    },
    async (client, grant, { person: { projectId } }) =>
      await client.put(`${V3}/projects/${projectId}/users/${grant}`),
    async (client, grant) =>
      await count(client, `/role_assignments?user.id=${grant.split('/')[0]}`, 'role_assignments'),
  ),
  onIdentity(
    'a deleted user',
    [204, 404],
    async (client) => await make(client, 'user', { name: randomUUID(), password: 'a long password' }),
    async (client, user) => await client.delete(`${V3}/users/${user}`),
    async (client, user) => (await client.get(`${V3}/users/${user}`)).status,
  ),
  onIdentity(
    'an application credential',
    [201, 409],
    nameOnly,
    async (client, name, { person: { userId } }) =>
      await client.post(`${V3}/users/${userId}/application_credentials`, {
        application_credential: { name },
      }),
    async (client, name, { person: { userId } }) =>
      await count(client, `/users/${userId}/application_credentials?name=${name}`, 'application_credentials'),
  ),
];
