import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rounds } from '../harness/rounds.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

const V3 = '/identity/v3';
let coffer: StartedCoffer;
let admin: Person;
let victim: Person;

beforeAll(async () => {
  coffer = await startCoffer();
  [admin, victim] = await Promise.all([
    coffer.person(['admin'], 'offices'),
    coffer.person(['member'], 'offices'),
  ]);
});
afterAll(async () => await coffer.stop());

const TARGETS: [string, string, string, string[]][] = [
  [
    'POST',
    '/projects',
    'project',
    ['name', 'description', 'enabled', 'domain_id', 'tags', 'options', 'parent_id'],
  ],
  ['PATCH', '/projects/PROJECT', 'project', ['name', 'description', 'enabled', 'id', 'domain_id']],
  ['POST', '/users', 'user', ['name', 'password', 'email', 'enabled', 'default_project_id', 'options']],
  ['PATCH', '/users/USER', 'user', ['name', 'password', 'email', 'id', 'domain_id', 'default_project_id']],
  ['POST', '/users/USER/password', 'user', ['original_password', 'password']],
  ['POST', '/roles', 'role', ['name', 'description', 'domain_id', 'options']],
];
/** What a client may send by mistake or on purpose, where a text is meant. */
const ODD: unknown[] = [
  null,
  0,
  -1,
  1.5,
  1e308,
  true,
  [],
  [[]],
  {},
  { id: 'x' },
  ['a', 1],
  '',
  ' ',
  '\u0007',
];
const LONG = ['x'.repeat(300), 'y'.repeat(21_000)];
const TEXTS = ['\ud7ff', '٣', '\u202e', "'; DROP TABLE users; --", 'constructor', '__proto__', '%', '\uffff'];
const VALUES = [...ODD, ...LONG, ...TEXTS];

describe.each(TARGETS)('%s %s', (method, path, member, fields) => {
  const ask = async (body: unknown): Promise<number> => {
    const place = path.replace('PROJECT', victim.projectId).replace('USER', victim.userId);
    return (await admin.client.send(method, `${V3}${place}`, { body })).status;
  };

  it.each(fields)('answers nothing past 499 for %s, whatever it is', async (field) => {
    for (const value of VALUES) {
      const others = method === 'POST' && field !== 'name' ? { name: `n-${Math.random()}` } : {};
      const status = await ask({ [member]: { ...others, [field]: value } });
      expect([field, value, status < 500]).toEqual([field, value, true]);
    }
  });

  it('answers nothing past 499 for any JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 3 }), async (value) => {
        expect(await ask(value)).toBeLessThan(500);
        expect(await ask({ [member]: value })).toBeLessThan(500);
      }),
      { numRuns: rounds(200) },
    );
  });

  it('refuses what is too long, twice there, or not JSON', async () => {
    expect(await ask({ [member]: { name: 'x', description: 'x'.repeat(30_000) } })).toBeOneOf([403, 413]);
    expect(await ask(`{"${member}": {"name": "a", "__proto__": {}}}`)).toBeOneOf([400, 403]);
    expect(await ask(Buffer.from([0x7b, 0xff, 0x7d]))).toBeOneOf([400, 403]);
  });
});

it.each([
  '/projects',
  '/users',
  '/roles',
  '/role_assignments',
  '/domains',
  '/services',
  '/endpoints',
  '/groups',
])('%s answers nothing past 499 for any query', async (path) => {
  const exact =
    'name enabled domain_id limit marker name__contains name__icontains is_domain tags not-tags-any';
  const dotted = 'user.id role.id scope.project.id scope.system effective include_names constructor';
  const names = `${exact} ${dotted}`.split(' ');
  const texts = [
    '',
    '%00',
    '0',
    '-1',
    '9'.repeat(30),
    '%F0%9F%98%80',
    '%ff',
    'x'.repeat(2_000),
    '%25',
    '_',
    "'",
  ];
  for (const name of names) {
    for (const text of texts) {
      const { status } = await admin.client.get(`${V3}${path}?${name}=${text}`);
      expect([name, text, status < 500]).toEqual([name, text, true]);
    }
  }
});

it('answers nothing past 499 for any path', async () => {
  // Without a letter an id is the same in capitals.
  const lettered = [victim, admin].map(({ userId }) => userId).find((id) => /[a-f]/.test(id)) ?? '';
  const ids = ['%252e', "'", '%F0%9F%98%80', 'x'.repeat(500), '*', '%20', lettered.toUpperCase()];
  const places = ['/users/X', '/projects/X', '/roles/X', '/roles/X/implies/X', '/system/users/X/roles/X'];
  for (const place of [
    ...places,
    '/projects/X/users/X/roles/X',
    '/domains/X/users/X/roles',
    '/users/X/projects',
  ]) {
    for (const id of ids) {
      for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']) {
        const { status } = await admin.client.send(method, `${V3}${place.replaceAll('X', id)}`);
        expect([method, place, id, status]).toEqual([
          method,
          place,
          id,
          expect.toBeOneOf([400, 403, 404, 405]),
        ]);
      }
    }
  }
});

it('believes no header about who asks', async () => {
  const headers = {
    'x-roles': 'admin',
    'x-user-id': admin.userId,
    'x-project-id': admin.projectId,
    'x-is-admin-project': 'True',
    'openstack-system-scope': 'all',
    'x-identity-status': 'Confirmed',
  };
  expect((await coffer.stranger.get(`${V3}/users`, { headers })).status).toBe(401);
  const member = await coffer.person(['member'], 'offices');
  expect((await member.client.get(`${V3}/users`, { headers })).status).toBe(403);
});
