import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { deleteRow, updateRow } from '../../src/db/sealed.ts';
import type { ProjectRow, UserRow } from '../../src/db/schema.ts';
import { createProject, getProject, getRole } from '../../src/identity/administration.ts';
import { assignRole } from '../../src/identity/assignments.ts';
import { endTokensOfProject, endTokensOfUser } from '../../src/identity/end-tokens.ts';
import { openRevocations } from '../../src/identity/revocations.ts';
import { digestAssignments, readUser } from '../../src/identity/rights.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { within } from '../harness/within.ts';

let one: StartedCoffer;
let two: StartedCoffer;

beforeAll(async () => {
  one = await startCoffer();
  two = await startCoffer({ beside: one });
  for (const name of ['demo', 'closing', 'revoking', 'foreign']) await createProject(parts(), name);
});
afterAll(async () => {
  await two.stop();
  await one.stop();
});

const parts = () => ({ ...one.installation, clock: { now: () => new Date() } });

async function changeUser({ userId }: Person, changes: Partial<UserRow>): Promise<void> {
  const { db, keyring } = one.installation;
  const known = await readUser(parts(), userId, null);
  if (known === undefined) throw new Error('the user is gone');
  await updateRow(db, keyring, 'users', known.user, changes);
}

async function changeProject(name: string, changes: Partial<ProjectRow>): Promise<void> {
  const { db, keyring } = one.installation;
  await updateRow(db, keyring, 'projects', await getProject(parts(), name), changes);
}

const askOn = async (server: StartedCoffer, token: string): Promise<number> =>
  (await server.stranger.get('/v1/secrets', { headers: { 'x-auth-token': token } })).status;

/** Without a NOTIFY, which only makes it sooner. */
async function expectEverywhere(status: number, { token }: Person): Promise<void> {
  const statuses = async () =>
    await Promise.all([one, two].map(async (server) => await askOn(server, token)));
  await within(5_900, async () => expect(await statuses()).toEqual([status, status]));
}

async function makeCreator(project = 'demo'): Promise<Person> {
  const person = await one.person(['creator'], project);
  await expectEverywhere(200, person);
  return person;
}

async function logInStatus({ name, password }: Person, project?: string): Promise<number> {
  try {
    await one.logIn(name, password, project);
    return 201;
  } catch (error) {
    return /"code":(\d+)/.exec(String(error))?.[1] === '401' ? 401 : 500;
  }
}

// Side by side, because each of them waits for five seconds to pass.
describe.concurrent('within 5 s on every server, a token is no longer taken', () => {
  it('of a user who was disabled, and is again when enabled', async () => {
    const person = await makeCreator();
    await changeUser(person, { enabled: false });
    await expectEverywhere(401, person);
    expect(await logInStatus(person, 'demo')).toBe(401);
    await changeUser(person, { enabled: true });
    await expectEverywhere(200, person);
  });

  it('for a project that was disabled', async () => {
    const person = await makeCreator('closing');
    await changeProject('closing', { enabled: false });
    await expectEverywhere(401, person);
    expect(await logInStatus(person, 'closing')).toBe(401);
    expect(await logInStatus(person)).toBe(201);
  });

  it('of before all of a user were revoked; each given after that is', async () => {
    const person = await makeCreator();
    const old = [person.token];
    for (let round = 0; round < 3; round += 1) {
      await endTokensOfUser(parts(), person.userId);
      old.push(await one.logIn(person.name, person.password, 'demo'));
    }
    const fresh = old.pop() ?? '';
    for (const token of old) await expectEverywhere(401, { ...person, token });
    await expectEverywhere(200, { ...person, token: fresh });
  });

  it('of before all of a project were revoked, though it was dated past those of its user', async () => {
    const person = await makeCreator('revoking');
    await endTokensOfUser(parts(), person.userId);
    const dated = await one.logIn(person.name, person.password, 'revoking');
    await endTokensOfProject(parts(), person.projectId);
    const fresh = await one.logIn(person.name, person.password, 'revoking');
    for (const token of [person.token, dated]) await expectEverywhere(401, { ...person, token });
    await expectEverywhere(200, { ...person, token: fresh });
  });

  it('of a user whose last role in the project was taken', async () => {
    const person = await makeCreator();
    const { db, keyring } = one.installation;
    const known = await readUser(parts(), person.userId, null);
    const [assignment] = known?.assignments ?? [];
    if (known === undefined || assignment === undefined) throw new Error('nothing to take');
    await db.transaction(async (tx) => {
      await updateRow(tx, keyring, 'users', known.user, { assignments_digest: digestAssignments([]) });
      await deleteRow(tx, 'role_assignments', assignment);
    });
    await expectEverywhere(401, person);
    expect([await logInStatus(person, 'demo'), await logInStatus(person)]).toEqual([401, 201]);
  });
});

it('gives a role on every server within 5 s', async () => {
  const person = await one.person(['observer'], 'demo');
  const store = async (server: StartedCoffer) => {
    const headers = { 'x-auth-token': person.token };
    return (await server.stranger.post('/v1/secrets', { name: 'x' }, { headers })).status;
  };
  expect([await store(one), await store(two)]).toEqual([403, 403]);
  const role = await getRole(parts(), 'creator');
  await assignRole(parts(), { id: person.userId }, { id: person.projectId }, role);
  await within(5_500, async () => expect(await store(two)).toBe(201));
});

it('scopes to the default project without being told, and to none when that gives no rights', async () => {
  const person = await one.person(['creator'], 'demo');
  const scopeOf = async () => {
    const user = { id: person.userId, password: person.password };
    const auth = { identity: { methods: ['password'], password: { user } } };
    const reply = await one.stranger.post('/identity/v3/auth/tokens', { auth });
    return [reply.status, reply.json.token.project?.id];
  };
  await changeUser(person, { default_project_id: person.projectId });
  expect(await scopeOf()).toEqual([201, person.projectId]);
  for (const elsewhere of ['no-such-project', 'system', (await makeCreator('foreign')).projectId]) {
    await changeUser(person, { default_project_id: elsewhere });
    expect(await scopeOf()).toEqual([201, undefined]);
  }
});

describe('the list of revoked tokens', () => {
  it('lets nobody in once it could not be read for 10 s, and everybody again when it was', async () => {
    const revocations = await openRevocations(parts());
    expect(revocations.isRevoked('x')).toBe(false);
    const later = performance.now() + 10_001;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => later);
    try {
      expect(() => revocations.isRevoked('x')).toThrow(expect.objectContaining({ code: 'unavailable' }));
      await revocations.refresh();
      expect(revocations.isRevoked('x')).toBe(false);
    } finally {
      clock.mockRestore();
    }
  });
});
