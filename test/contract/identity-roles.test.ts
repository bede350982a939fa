import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { manageAs, names } from './identity-desk.ts';

const V3 = '/identity/v3';
let coffer: StartedCoffer;
let admin: Person;
let member: Person;

beforeAll(async () => {
  coffer = await startCoffer();
  [admin, member] = await Promise.all([
    coffer.person(['admin'], 'offices'),
    coffer.person(['member', 'creator'], 'offices'),
  ]);
});
afterAll(async () => await coffer.stop());

const { patch, post, get, remove, makeUser } = manageAs(() => admin);

const roleId = async (name: string): Promise<string> =>
  String((await get(`/roles?name=${name}`)).json.roles[0].id);

describe('domains', () => {
  it('there is one, by id and by name', async () => {
    const domain = {
      id: 'default',
      name: 'Default',
      description: 'The default domain',
      enabled: true,
      tags: [],
      options: {},
      links: { self: `${coffer.url}${V3}/domains/default` },
    };
    expect((await get('/domains/default')).json).toEqual({ domain });
    const links = { self: `${coffer.url}${V3}/domains?name=Default`, next: null, previous: null };
    expect((await get('/domains?name=Default')).json).toEqual({ domains: [domain], links });
    expect((await get('/domains?name=other')).json.domains).toEqual([]);
    expect((await get('/domains?enabled=false')).json.domains).toEqual([]);
    expect((await get('/domains/other')).status).toBe(404);
  });

  it('is read-only, and there will be no other', async () => {
    for (const reply of [
      await post('/domains', { domain: { name: 'other' } }),
      await patch('/domains/default', { domain: { enabled: false } }),
      await remove('/domains/default'),
    ]) {
      expect([reply.status, reply.json.error.title]).toEqual([403, 'Forbidden']);
      expect(reply.json.error.message).toContain('read-only');
    }
    expect((await remove('/domains/other')).status).toBe(404);
  });
});

describe('roles', () => {
  it('that are built in stay as they are', async () => {
    const { roles } = (await get('/roles')).json;
    expect(names(roles).slice(0, 4)).toEqual(['admin', 'manager', 'member', 'reader']);
    const [role] = roles;
    expect(role).toMatchObject({ domain_id: null, options: { immutable: true } });
    expect((await get(`/roles/${role.id}`)).json).toEqual({ role });
    expect((await patch(`/roles/${role.id}`, { role: { name: 'x' } })).status).toBe(403);
    const refused = await remove(`/roles/${role.id}`);
    expect([refused.status, refused.json.error.message]).toEqual([403, expect.stringContaining('built in')]);
    expect((await get('/roles?domain_id=default')).json.roles).toEqual([]);
  });

  it('of one’s own are made, changed and deleted, and taken from whoever has them', async () => {
    const made = await post('/roles', { role: { name: 'auditor', description: 'reads' } });
    expect(made.status).toBe(201);
    const { id } = made.json.role;
    expect((await patch(`/roles/${id}`, { role: { name: 'inspector' } })).json.role.name).toBe('inspector');
    expect((await post('/roles', { role: { name: 'INSPECTOR' } })).status).toBe(409);
    expect((await post('/roles', { role: { name: 'cre\u0430tor' } })).status).toBe(400);
    const user = await makeUser('inspected');
    const grant = `/projects/${admin.projectId}/users/${user.id}/roles/${id}`;
    expect((await admin.client.put(`${V3}${grant}`)).status).toBe(204);
    const auth = {
      identity: {
        methods: ['password'],
        password: { user: { id: user.id, password: 'long enough a word' } },
      },
      scope: { project: { id: admin.projectId } },
    };
    const issued = await coffer.stranger.post(`${V3}/auth/tokens`, { auth });
    expect(issued.json.token.roles).toEqual([{ id, name: 'inspector' }]);
    const headers = { 'x-auth-token': String(issued.headers['x-subject-token']) };
    const wanted = { application_credential: { name: 'inspecting', roles: [{ id }] } };
    const path = `${V3}/users/${user.id}/application_credentials`;
    expect((await coffer.stranger.post(path, wanted, { headers })).status).toBe(201);
    expect((await remove(`/roles/${id}`)).status).toBe(204);
    expect((await get(`/roles/${id}`)).status).toBe(404);
    expect((await get(`/role_assignments?user.id=${user.id}`)).json.role_assignments).toEqual([]);
  });

  it('imply what they always did, and nothing else', async () => {
    const [prior, implied, other] = await Promise.all(['admin', 'manager', 'creator'].map(roleId));
    const { role_inferences } = (await get('/role_inferences')).json;
    const pairs = role_inferences.map(
      (one: { prior_role: { name: string }; implies: { name: string }[] }) => [
        one.prior_role.name,
        ...names(one.implies),
      ],
    );
    expect(pairs).toEqual([
      ['admin', 'manager'],
      ['manager', 'member'],
      ['member', 'reader'],
    ]);
    const { role_inference } = (await get(`/roles/${prior}/implies`)).json;
    expect([role_inference.prior_role.name, names(role_inference.implies)]).toEqual(['admin', ['manager']]);
    expect((await get(`/roles/${other}/implies`)).json.role_inference.implies).toEqual([]);
    const one = `/roles/${prior}/implies/${implied}`;
    expect((await get(one)).json.role_inference.implies.name).toBe('manager');
    expect((await admin.client.send('HEAD', `${V3}${one}`)).status).toBe(204);
    expect((await admin.client.put(`${V3}${one}`)).status).toBe(201);
    expect((await remove(one)).status).toBe(403);
    expect((await get(`/roles/${prior}/implies/${other}`)).status).toBe(404);
    expect((await admin.client.put(`${V3}/roles/${prior}/implies/${other}`)).status).toBe(403);
    expect((await remove(`/roles/${prior}/implies/${other}`)).status).toBe(404);
    expect((await get(`/roles/${prior}/implies/no-such`)).status).toBe(404);
  });
});

describe('services, endpoints and regions', () => {
  it('are the configuration', async () => {
    const { services } = (await get('/services')).json;
    const types = services.map(({ type }: { type: string }) => type);
    expect(types).toEqual(['identity', 'key-manager']);
    expect((await get(`/services/${services[1].id}`)).json.service).toEqual(services[1]);
    const { endpoints } = (await get(`/endpoints?service_id=${services[1].id}&interface=public`)).json;
    expect(endpoints).toHaveLength(1);
    expect(endpoints[0]).toMatchObject({ url: coffer.url, region: 'RegionOne', region_id: 'RegionOne' });
    expect((await get(`/endpoints/${endpoints[0].id}`)).json.endpoint).toEqual(endpoints[0]);
    expect((await get('/endpoints?interface=nosuch')).json.endpoints).toEqual([]);
    expect((await member.client.get(`${V3}/regions`)).json.regions).toMatchObject([{ id: 'RegionOne' }]);
    expect((await get('/regions/RegionOne')).json.region.parent_region_id).toBeNull();
    expect((await get('/regions/Nowhere')).status).toBe(404);
    expect((await member.client.get(`${V3}/services`)).status).toBe(403);
  });

  it('has no group', async () => {
    expect((await get('/groups?name=x')).json.groups).toEqual([]);
    expect((await get('/groups/x')).status).toBe(404);
  });
});
