import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { manageAs, names } from './identity-desk.ts';

const V3 = '/identity/v3';
const ID = /^[0-9a-f]{32}$/;
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

async function makeProject(name: string): Promise<Record<string, string>> {
  const reply = await post('/projects', { project: { name } });
  expect(reply.status).toBe(201);
  return reply.json.project as Record<string, string>;
}

interface Page {
  projects: { name: string }[];
  links: { next: string | null };
  truncated?: true;
}

describe('projects', () => {
  it('are opened, shown, changed and found again, as Keystone answers', async () => {
    const made = await post('/projects', { project: { name: 'shop', description: 'sells', tags: [] } });
    expect(made.status).toBe(201);
    const { project } = made.json;
    expect(project).toEqual({
      id: expect.stringMatching(ID),
      name: 'shop',
      description: 'sells',
      domain_id: 'default',
      parent_id: 'default',
      enabled: true,
      is_domain: false,
      tags: [],
      options: {},
      links: { self: `${coffer.url}${V3}/projects/${project.id}` },
    });
    expect((await get(`/projects/${project.id}`)).json).toEqual({ project });
    const changed = await patch(`/projects/${project.id}`, { project: { name: 'store', enabled: false } });
    expect(changed.json.project).toMatchObject({ name: 'store', enabled: false, description: 'sells' });
    expect(names((await get('/projects?name=store')).json.projects)).toEqual(['store']);
    expect(names((await get('/projects?enabled=false')).json.projects)).toEqual(['store']);
  });

  it.each([
    ['?name=no-such', []],
    ['?domain_id=other', []],
    ['?parent_id=other', []],
    ['?name=offices&domain_id=default&parent_id=default&enabled=1&is_domain=false', ['offices']],
    ['?name__contains=ffice', ['offices']],
    ['?name__istartswith=OFF', ['offices']],
    ['?name__endswith=OFF', []],
    ['?is_domain=true', ['Default']],
  ])('filters %s', async (query, expected) => {
    const reply = await get(`/projects${query}`);
    expect([reply.status, names(reply.json.projects)]).toEqual([200, expected]);
  });

  it('comes in pages whose links hold every project once', async () => {
    for (const name of ['page-1', 'page-2', 'page-3']) await makeProject(name);
    const found: string[] = [];
    let path: string | null = '/projects?limit=2&name__startswith=page-';
    while (path !== null) {
      const { projects, links, truncated }: Page = (await get(path)).json;
      found.push(...names(projects));
      expect(truncated).toBe(links.next === null ? undefined : true);
      path = links.next === null ? null : links.next.replace(`${coffer.url}${V3}`, '');
    }
    expect(found.sort()).toEqual(['page-1', 'page-2', 'page-3']);
  });

  it('are gone for their users when deleted, and their names are free', async () => {
    const person = await coffer.person(['creator'], 'closing');
    expect((await person.client.post('/v1/secrets', { name: 'kept till now' })).status).toBe(201);
    expect((await remove(`/projects/${person.projectId}`)).status).toBe(204);
    expect((await get(`/projects/${person.projectId}`)).status).toBe(404);
    expect((await remove(`/projects/${person.projectId}`)).status).toBe(404);
    expect((await get('/projects?name=closing')).json.projects).toEqual([]);
    await expect.poll(async () => (await person.client.get('/v1')).status, { timeout: 5_900 }).toBe(401);
    await expect(coffer.logIn(person.name, person.password, 'closing')).rejects.toThrow('401');
    const assignments = `/role_assignments?user.id=${person.userId}&include_names`;
    expect((await get(assignments)).json.role_assignments).toEqual([]);
    await makeProject('closing');
  });

  it('has each name once, however it is spelt', async () => {
    await makeProject('unique');
    for (const name of ['unique', 'UNIQUE', ' unique ', 'ｕnique']) {
      const reply = await post('/projects', { project: { name } });
      expect([reply.status, reply.json.error.title]).toEqual([409, 'Conflict']);
    }
    const { id } = await makeProject('unique-2');
    expect((await patch(`/projects/${id}`, { project: { name: 'Unique' } })).status).toBe(409);
  });

  it.each([
    [{}, 'required'],
    [{ project: {} }, 'required'],
    [{ project: [] }, 'required'],
    [{ project: { name: 1 } }, "Invalid input for field 'name'"],
    [{ project: { name: '' } }, "Invalid input for field 'name'"],
    [{ project: { name: 'x'.repeat(65) } }, 'too long'],
    [{ project: { name: 'adm\u0456n' } }, 'looks like'],
    [{ project: { name: 'x', enabled: 'yes' } }, "Invalid input for field 'enabled'"],
    [{ project: { name: 'x', parent_id: '0'.repeat(32) } }, 'Could not find project'],
    [{ project: { name: 'x', domain_id: 'other' } }, 'Could not find domain'],
    [{ project: { name: 'x', tags: ['a,b'] } }, 'tags'],
    [{ project: { name: 'x', tags: ['a', 'a'] } }, 'tags'],
    [{ project: { name: 'x', tags: [7] } }, 'tags'],
    [{ project: { name: 'x', tags: 'blue' } }, 'tags'],
    [{ project: { name: 'x', options: { immutable: true } } }, 'Options'],
    ['{"project": {"name": "a", "name": {}}}', "Invalid input for field 'name'"],
    ['[]', 'required'],
    ['nonsense', 'Malformed'],
  ])('refuses %j', async (body, message) => {
    const headers = { 'content-type': 'application/json' };
    const reply = await admin.client.post(`${V3}/projects`, body, { headers });
    expect(reply.status).toBe(400);
    expect(reply.json.error).toMatchObject({ code: 400, title: 'Bad Request' });
    expect(reply.json.error.message).toContain(message);
  });

  it('keep tags, one by one and all at once, and are found by them', async () => {
    const made = await post('/projects', { project: { name: 'tagged', tags: ['red', 'blue'] } });
    const { id, tags } = made.json.project as { id: string; tags: string[] };
    expect(tags).toEqual(['red', 'blue']);
    const put = async (path: string, body?: unknown) =>
      await admin.client.put(`${V3}/projects/${id}${path}`, body);
    expect((await put('/tags/gr\u00fcn')).status).toBe(201);
    expect((await put('/tags/a,b')).status).toBe(400);
    expect((await get(`/projects/${id}/tags`)).json.tags).toEqual(['red', 'blue', 'gr\u00fcn']);
    expect((await get(`/projects/${id}/tags/red`)).status).toBe(204);
    expect((await remove(`/projects/${id}/tags/red`)).status).toBe(204);
    expect((await get(`/projects/${id}/tags/red`)).status).toBe(404);
    expect((await remove(`/projects/${id}/tags/red`)).status).toBe(404);
    for (const [query, count] of [
      ['tags=blue,gr\u00fcn', 1],
      ['tags=blue,red', 0],
      ['tags-any=red,blue', 1],
      ['name=tagged&not-tags=blue', 0],
      ['name=tagged&not-tags-any=red', 1],
      ['limit=1&tags=blue', 1],
    ] as const) {
      const { projects } = (await get(`/projects?${encodeURI(query)}`)).json;
      expect([query, projects.length]).toEqual([query, count]);
    }
    expect((await put('/tags', { tags: ['one'] })).json.tags).toEqual(['one']);
    for (const body of [{}, null, { tags: 'x' }, { tags: ['a/b'] }])
      expect((await put('/tags', body)).status).toBe(400);
    expect((await remove(`/projects/${id}/tags`)).status).toBe(204);
    expect((await get(`/projects/${id}`)).json.project.tags).toEqual([]);
  });

  it('keep properties of other names, as users do, until they are taken away', async () => {
    for (const [path, member] of [
      ['/projects', 'project'],
      ['/users', 'user'],
    ] as const) {
      const wanted = { name: 'with-more', colour: 'blue', depth: { is: [1, null, '\u00fc'] } };
      const made = await post(path, { [member]: wanted });
      expect(made.json[member]).toMatchObject(wanted);
      const { id } = made.json[member] as { id: string };
      const hostile = {
        colour: null,
        size: 7,
        links: { self: 'x' },
        options: {},
        password_expires_at: 'now',
      };
      const changed = (await patch(`${path}/${id}`, { [member]: hostile })).json[member];
      expect(changed).toMatchObject({
        depth: wanted.depth,
        size: 7,
        links: { self: expect.stringContaining(id) },
      });
      expect([changed.colour, changed.password_expires_at ?? null]).toEqual([undefined, null]);
      expect((await get(`${path}/${id}`)).json[member]).toEqual(changed);
    }
  });

  it('cannot be moved or become another', async () => {
    const { id } = await makeProject('fixed');
    expect((await patch(`/projects/${id}`, { project: { id: 'other' } })).status).toBe(400);
    expect((await patch(`/projects/${id}`, { project: { domain_id: 'other' } })).status).toBe(400);
    expect((await post('/projects', { project: { name: 'd', is_domain: true } })).status).toBe(403);
  });

  it.each(['no-such', 'system', '..%2f', 'x'.repeat(300)])('has none of the id %s', async (id) => {
    const reply = await get(`/projects/${id}`);
    expect([reply.status, reply.json.error.code]).toEqual([404, 404]);
    expect((await patch(`/projects/${id}`, { project: { name: 'x' } })).status).toBe(404);
  });
});

describe('users', () => {
  it('are made, shown, changed and found again, as Keystone answers', async () => {
    const project = await makeProject('of-ada');
    const wanted = { name: 'Ada', email: 'ada@example.org', default_project_id: project.id };
    const made = await post('/users', { user: { ...wanted, password: 'long enough a word', options: {} } });
    expect(made.status).toBe(201);
    const { user } = made.json;
    expect(user).toEqual({
      id: expect.stringMatching(ID),
      ...wanted,
      domain_id: 'default',
      enabled: true,
      password_expires_at: null,
      options: {},
      links: { self: `${coffer.url}${V3}/users/${user.id}` },
    });
    expect(made.text).not.toContain('long enough');
    expect((await get(`/users/${user.id}`)).json).toEqual({ user });
    const changed = await patch(`/users/${user.id}`, { user: { description: 'first', email: null } });
    expect(changed.json.user).toMatchObject({ name: 'Ada', description: 'first' });
    expect(changed.json.user).not.toHaveProperty('email');
    expect(names((await get('/users?name=ada')).json.users)).toEqual(['Ada']);
    expect(names((await get('/users?name=ada&enabled=0')).json.users)).toEqual([]);
    expect(names((await get('/users?domain_id=other')).json.users)).toEqual([]);
  });

  it('log in with the password that they were given, and with no other', async () => {
    const { id } = await makeUser('grace');
    await expect(coffer.logIn('grace', 'long enough a word')).resolves.toBeTruthy();
    expect((await patch(`/users/${id}`, { user: { password: 'another good word' } })).status).toBe(200);
    await expect(coffer.logIn('grace', 'long enough a word')).rejects.toThrow('401');
    await expect(coffer.logIn('grace', 'another good word')).resolves.toBeTruthy();
    expect((await patch(`/users/${id}`, { user: { password: null } })).status).toBe(200);
    await expect(coffer.logIn('grace', 'another good word')).rejects.toThrow('401');
  });

  it('change their own password, knowing the old one', async () => {
    const person = await coffer.person(['member'], 'offices');
    const path = `${V3}/users/${person.userId}/password`;
    const change = async (original_password: unknown, password: unknown): Promise<number> =>
      (await person.client.post(path, { user: { original_password, password } })).status;
    expect(await change('wrong', 'a new long word')).toBe(401);
    expect(await change(person.password, 7)).toBe(400);
    expect(await change(person.password, '')).toBe(400);
    const guess = { user: { original_password: 'x', password: 'y' } };
    expect((await member.client.post(path, guess)).status).toBe(403);
    expect((await admin.client.post(path, guess)).status).toBe(401);
    expect(await change(person.password, 'a new long word')).toBe(204);
    await expect.poll(async () => (await person.client.get('/v1')).status, { timeout: 5_900 }).toBe(401);
    const fresh = await coffer.logIn(person.name, 'a new long word', 'offices');
    const headers = { 'x-auth-token': fresh };
    expect((await coffer.stranger.get(`${V3}/users/${person.userId}`, { headers })).status).toBe(200);
  });

  it('are gone with their roles and tokens when deleted', async () => {
    const person = await coffer.person(['member'], 'offices');
    expect((await person.client.get(`${V3}/auth/projects`)).status).toBe(200);
    expect((await remove(`/users/${person.userId}`)).status).toBe(204);
    await expect.poll(async () => (await person.client.get('/v1')).status, { timeout: 5_900 }).toBe(401);
    expect((await get(`/users/${person.userId}`)).status).toBe(404);
    expect((await remove(`/users/${person.userId}`)).status).toBe(404);
    const { role_assignments } = (await get(`/role_assignments?user.id=${person.userId}`)).json;
    expect(role_assignments).toEqual([]);
    await makeUser(person.name);
  });

  it.each([
    [{ user: { name: 'x', password: 5 } }, "Invalid input for field 'password': the value"],
    [{ user: { name: 'x', password: '' } }, 'Password validation error'],
    [{ user: { name: 'x', password: 'y'.repeat(5_000) } }, 'Password validation error'],
    [{ user: { password: 'hidden-word' } }, "'name' is a required property"],
    [{ user: { name: 'x', email: {} } }, "field 'email'"],
    [{ user: { name: '\u0430dmin', password: 'hidden-word' } }, 'looks like'],
  ])('refuses %j', async (body, message) => {
    const reply = await post('/users', body);
    expect(reply.status).toBe(400);
    expect(reply.json.error.message).toContain(message);
    expect(reply.text).not.toContain('hidden-word');
  });

  it('are of no other domain', async () => {
    expect((await post('/users', { user: { name: 'x', domain_id: 'other' } })).status).toBe(404);
  });

  it('see themselves, their projects, and nobody else', async () => {
    const own = (path: string) => member.client.get(`${V3}/users/${member.userId}${path}`);
    expect((await own('')).json.user.name).toBe(member.name);
    expect(names((await own('/projects')).json.projects)).toEqual(['offices']);
    expect((await own('/groups')).json.groups).toEqual([]);
    expect((await member.client.get(`${V3}/projects/${member.projectId}`)).status).toBe(200);
    for (const path of [
      '/users',
      `/users/${admin.userId}`,
      '/users/no-such',
      '/projects',
      '/role_assignments',
    ]) {
      const reply = await member.client.get(`${V3}${path}`);
      expect([path, reply.status]).toEqual([path, 403]);
      expect(reply.json.error.message).toMatch(/not authorized to perform the requested action: identity:/);
    }
    const change = { body: { user: { email: 'x' } } };
    const reply = await member.client.send('PATCH', `${V3}/users/${member.userId}`, change);
    expect(reply.status).toBe(403);
  });
});
