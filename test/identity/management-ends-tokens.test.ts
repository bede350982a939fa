import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { within } from '../harness/within.ts';

const V3 = '/identity/v3';
let one: StartedCoffer;
let two: StartedCoffer;
let admin: Person;

beforeAll(async () => {
  one = await startCoffer();
  two = await startCoffer({ beside: one });
  admin = await one.person(['admin'], 'offices');
});
afterAll(async () => {
  await two.stop();
  await one.stop();
});

async function expectEverywhere(status: number, { token }: Person): Promise<void> {
  const headers = { 'x-auth-token': token };
  const ask = async (server: StartedCoffer) => (await server.stranger.get('/v1', { headers })).status;
  await within(5_900, async () => {
    expect(await Promise.all([ask(one), ask(two)])).toEqual([status, status]);
  });
}

const patch = async (path: string, body: unknown): Promise<number> =>
  (await admin.client.send('PATCH', `${V3}${path}`, { body })).status;

async function makeMember(project: string): Promise<Person> {
  const person = await one.person(['member'], project);
  await expectEverywhere(200, person);
  return person;
}

describe.concurrent('a token ends on every server within 5 s', () => {
  it('with the password', async () => {
    const person = await makeMember('passwords');
    expect(await patch(`/users/${person.userId}`, { user: { password: 'set by somebody else' } })).toBe(200);
    await expectEverywhere(401, person);
    const fresh = await one.logIn(person.name, 'set by somebody else', 'passwords');
    await expectEverywhere(200, { ...person, token: fresh });
  });

  it('with the password that is changed twice in a moment', async () => {
    const person = await makeMember('passwords');
    const change = (password: string) => patch(`/users/${person.userId}`, { user: { password } });
    expect(await change('the first new one')).toBe(200);
    const between = await one.logIn(person.name, 'the first new one', 'passwords');
    expect(await change('the second new one')).toBe(200);
    await expectEverywhere(401, person);
    await expectEverywhere(401, { ...person, token: between });
  });

  it('with its user, and stays ended when the user is enabled again', async () => {
    const person = await makeMember('users');
    expect(await patch(`/users/${person.userId}`, { user: { enabled: false } })).toBe(200);
    await expectEverywhere(401, person);
    await expect(one.logIn(person.name, person.password)).rejects.toThrow('401');
    expect(await patch(`/users/${person.userId}`, { user: { enabled: true } })).toBe(200);
    const fresh = await one.logIn(person.name, person.password, 'users');
    await expectEverywhere(200, { ...person, token: fresh });
    await expectEverywhere(401, person);
  });

  it('with its project, and stays ended when the project is enabled again', async () => {
    const person = await makeMember('projects');
    expect(await patch(`/projects/${person.projectId}`, { project: { enabled: false } })).toBe(200);
    await expectEverywhere(401, person);
    expect(await patch(`/projects/${person.projectId}`, { project: { enabled: true } })).toBe(200);
    const fresh = await one.logIn(person.name, person.password, 'projects');
    await expectEverywhere(200, { ...person, token: fresh });
    await expectEverywhere(401, person);
  });

  it('with the last role in its project', async () => {
    const person = await makeMember('roles');
    const role = (await admin.client.get(`${V3}/roles?name=member`)).json.roles[0].id as string;
    const grant = `${V3}/projects/${person.projectId}/users/${person.userId}/roles/${role}`;
    expect((await admin.client.delete(grant)).status).toBe(204);
    await expectEverywhere(401, person);
  });

  it('with the end of its user', async () => {
    const person = await makeMember('deleted');
    expect((await admin.client.delete(`${V3}/users/${person.userId}`)).status).toBe(204);
    await expectEverywhere(401, person);
  });
});
