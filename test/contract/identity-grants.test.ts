import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { rawClient } from './raw-http.ts';

const V3 = '/identity/v3';
let coffer: StartedCoffer;
let admin: Person;
let person: Person;
let roles: Map<string, string>;

beforeAll(async () => {
  coffer = await startCoffer();
  [admin, person] = await Promise.all([
    coffer.person(['admin'], 'offices'),
    coffer.person(['reader'], 'offices'),
  ]);
  const list = (await admin.client.get(`${V3}/roles`)).json.roles as { id: string; name: string }[];
  roles = new Map(list.map(({ id, name }) => [name, id]));
});
afterAll(async () => await coffer.stop());

const roleId = (name: string): string => roles.get(name) ?? 'no-such-role';
const rolesOf = async (place: string): Promise<string[]> => {
  const reply = await admin.client.get(`${V3}${place}`);
  return (reply.json.roles as { name: string }[]).map(({ name }) => name).sort();
};

describe.each([
  ['a project', () => `/projects/${person.projectId}/users/${person.userId}/roles`],
  ['the domain', () => `/domains/default/users/${person.userId}/roles`],
  ['the system', () => `/system/users/${person.userId}/roles`],
])('a role in %s', (_where, placeOf) => {
  it('is given, seen and taken, each with 204 and no body', async () => {
    const place = placeOf();
    const one = `${V3}${place}/${roleId('member')}`;
    expect((await admin.client.send('HEAD', one)).status).toBe(404);
    expect((await admin.client.get(one)).json.error.message).toContain('Could not find role assignment');
    for (const method of ['PUT', 'PUT', 'HEAD', 'GET']) {
      const reply = await admin.client.send(method, one);
      expect([method, reply.status, reply.text]).toEqual([method, 204, '']);
    }
    expect(await rolesOf(place)).toContain('member');
    expect((await admin.client.delete(one)).status).toBe(204);
    expect((await admin.client.delete(one)).status).toBe(404);
    expect(await rolesOf(place)).not.toContain('member');
  });

  it('is asked for by ids that exist', async () => {
    const place = placeOf();
    const nobody = place.replace(person.userId, 'no-such-user');
    for (const method of ['PUT', 'GET', 'HEAD', 'DELETE']) {
      expect((await admin.client.send(method, `${V3}${place}/no-such-role`)).status).toBe(404);
      expect((await admin.client.send(method, `${V3}${nobody}/${roleId('member')}`)).status).toBe(404);
    }
    expect((await admin.client.get(`${V3}${nobody}`)).status).toBe(404);
  });

  it('is nothing that a member gives, takes or sees', async () => {
    const place = placeOf();
    for (const method of ['PUT', 'GET', 'HEAD', 'DELETE']) {
      const one = `${V3}${place}/${roleId('admin')}`;
      expect((await person.client.send(method, one)).status).toBe(403);
    }
    expect((await person.client.get(`${V3}${place}`)).status).toBe(403);
  });
});

it.each(['/projects/no-such/users/U/roles', '/domains/other/users/U/roles'])(
  '%s is nowhere',
  async (place) => {
    const path = `${V3}${place.replace('/U/', `/${person.userId}/`)}`;
    expect((await admin.client.get(path)).status).toBe(404);
    expect((await admin.client.put(`${path}/${roleId('member')}`)).status).toBe(404);
  },
);

describe('the list of assignments', () => {
  let subject: Person;
  const list = async (query: string): Promise<Record<string, never>[]> => {
    const reply = await admin.client.get(`${V3}/role_assignments?${query}`);
    expect(reply.status).toBe(200);
    expect(reply.json.links).toMatchObject({ next: null, previous: null });
    return reply.json.role_assignments as Record<string, never>[];
  };
  beforeAll(async () => {
    subject = await coffer.person(['manager', 'creator'], 'lists');
    await admin.client.put(`${V3}/system/users/${subject.userId}/roles/${roleId('reader')}`);
    await admin.client.put(`${V3}/domains/default/users/${subject.userId}/roles/${roleId('member')}`);
  });

  it('has ids alone, or names', async () => {
    const [plain] = await list(
      `user.id=${subject.userId}&scope.project.id=${subject.projectId}&role.id=${roleId('creator')}`,
    );
    expect(plain).toEqual({
      role: { id: roleId('creator') },
      user: { id: subject.userId },
      scope: { project: { id: subject.projectId } },
      links: {
        assignment: `${coffer.url}${V3}/projects/${subject.projectId}/users/${subject.userId}/roles/${roleId('creator')}`,
      },
    });
    const domain = { id: 'default', name: 'Default' };
    const [named] = await list(`user.id=${subject.userId}&role.id=${roleId('creator')}&include_names`);
    expect(named).toMatchObject({
      role: { id: roleId('creator'), name: 'creator' },
      user: { id: subject.userId, name: subject.name, domain },
      scope: { project: { id: subject.projectId, name: 'lists', domain } },
    });
  });

  it.each([
    ['', 4],
    ['&scope.system=all', 1],
    ['&scope.domain.id=default', 1],
    ['&scope.domain.id=other', 0],
    ['&scope.project.id=no-such', 0],
    ['&group.id=', 4],
    ['&include_names=1', 4],
    // manager, member, reader and creator in the project; reader on the system; member, reader in the domain
    ['&effective', 7],
    ['&effective=0', 4],
    ['&effective&scope.system=all', 1],
    ['&scope.OS-INHERIT:inherited_to=projects', 0],
  ])('filters %s', async (query, count) => {
    expect(await list(`user.id=${subject.userId}${query}`)).toHaveLength(count);
  });

  it('finds who has a role by another that implies it', async () => {
    const members = await list(`effective&role.id=${roleId('reader')}&scope.project.id=${subject.projectId}`);
    expect(members).toHaveLength(1);
    expect(members[0]?.['links']).toMatchObject({ prior_role: expect.stringContaining(roleId('manager')) });
  });

  it.each([
    'scope.project.id=a&scope.domain.id=b',
    'scope.system=all&scope.project.id=a',
    'user.id=a&group.id=b',
  ])('refuses %s', async (query) => {
    expect((await admin.client.get(`${V3}/role_assignments?${query}`)).status).toBe(400);
  });
});

describe('a manager of the domain', () => {
  let manager: Person;
  let token: string;
  const asManager = () => rawClient(coffer.url, token);
  beforeAll(async () => {
    manager = await coffer.person(['reader'], 'managed');
    await admin.client.put(`${V3}/domains/default/users/${manager.userId}/roles/${roleId('manager')}`);
    const identity = {
      methods: ['password'],
      password: { user: { id: manager.userId, password: manager.password } },
    };
    const auth = { identity, scope: { domain: { id: 'default' } } };
    const reply = await coffer.stranger.post(`${V3}/auth/tokens`, { auth });
    token = String(reply.headers['x-subject-token']);
  });

  it('makes users and projects, and gives the roles of a member', async () => {
    const client = asManager();
    const user = (
      await client.post(`${V3}/users`, { user: { name: 'managed-one', password: 'a good long word' } })
    ).json.user;
    const project = (await client.post(`${V3}/projects`, { project: { name: 'managed-project' } })).json
      .project;
    for (const name of ['manager', 'member', 'reader']) {
      const grant = `${V3}/projects/${project.id}/users/${user.id}/roles/${roleId(name)}`;
      expect((await client.put(grant)).status).toBe(204);
    }
    expect((await client.get(`${V3}/users`)).status).toBe(200);
    expect((await client.get(`${V3}/roles`)).status).toBe(200);
    const change = { body: { user: { enabled: false } } };
    expect((await client.send('PATCH', `${V3}/users/${user.id}`, change)).status).toBe(200);
    expect((await client.delete(`${V3}/users/${user.id}`)).status).toBe(204);
  });

  it.each(['admin', 'creator', 'key-manager:service-admin', 'audit'])(
    'gives nobody the role %s',
    async (name) => {
      for (const place of [`/projects/${person.projectId}`, '/domains/default', '/system']) {
        const path = `${V3}${place}/users/${manager.userId}/roles/${roleId(name)}`;
        expect((await asManager().put(path)).status).toBe(403);
      }
    },
  );

  it('changes nobody who may more than a manager', async () => {
    const creator = await coffer.person(['creator'], 'managed');
    for (const { userId } of [admin, creator]) {
      const change = { body: { user: { password: 'taken over by me' } } };
      expect((await asManager().send('PATCH', `${V3}/users/${userId}`, change)).status).toBe(403);
      expect((await asManager().delete(`${V3}/users/${userId}`)).status).toBe(403);
    }
    expect((await asManager().post(`${V3}/roles`, { role: { name: 'mine' } })).status).toBe(403);
  });

  it('is one by a token of the domain alone', async () => {
    const own = await coffer.person(['manager'], 'managed');
    expect((await own.client.get(`${V3}/users`)).status).toBe(403);
    expect((await own.client.post(`${V3}/projects`, { project: { name: 'x' } })).status).toBe(403);
  });
});

describe('tempest with dynamic credentials', () => {
  it('finds what it asks for, in its order', async () => {
    const { client } = admin;
    const [domain] = (await client.get(`${V3}/domains?name=Default`)).json.domains;
    const project = (
      await client.post(`${V3}/projects`, {
        project: { name: 'tempest-1', description: 'tempest-1-desc', domain_id: domain.id },
      })
    ).json.project;
    const made = await client.post(`${V3}/users`, {
      user: {
        name: 'tempest-user',
        password: 'Aa1!tempest',
        email: 'a@b.c',
        domain_id: domain.id,
        enabled: true,
      },
    });
    const { user } = made.json;
    for (const name of ['member', 'creator']) {
      const [role] = (await client.get(`${V3}/roles?name=${name}`)).json.roles;
      expect(
        (await client.put(`${V3}/projects/${project.id}/users/${user.id}/roles/${role.id}`)).status,
      ).toBe(204);
    }
    for (const place of [`/domains/${domain.id}`, '/system']) {
      const path = `${V3}${place}/users/${user.id}/roles/${roleId('reader')}`;
      expect((await client.put(path)).status).toBe(204);
    }
    const identity = { methods: ['password'], password: { user: { id: user.id, password: 'Aa1!tempest' } } };
    for (const scope of [
      { project: { id: project.id } },
      { domain: { id: domain.id } },
      { system: { all: true } },
    ]) {
      const reply = await coffer.stranger.post(`${V3}/auth/tokens`, { auth: { identity, scope } });
      expect([scope, reply.status]).toEqual([scope, 201]);
    }
    expect((await client.delete(`${V3}/users/${user.id}`)).status).toBe(204);
  });
});
