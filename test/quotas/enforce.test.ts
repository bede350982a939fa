import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SecretRow } from '../../src/db/schema.ts';
import { openRow, updateRow } from '../../src/db/sealed.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let one: StartedCoffer;
let two: StartedCoffer;

beforeAll(async () => {
  one = await startCoffer({ env: { COFFER_QUOTA_SECRETS: '7' } });
  two = await startCoffer({ beside: one });
});

afterAll(async () => {
  await two.stop();
  await one.stop();
});

const reached = 'Secret creation issue seen - Creation not allowed because a quota has been reached.';

async function createOn(server: StartedCoffer, { token }: Person, body: object = {}) {
  return await server.stranger.post('/v1/secrets', body, { headers: { 'x-auth-token': token } });
}

/** Moves the ends of all secrets of a project into the past. */
async function endSecrets({ projectId }: Person): Promise<void> {
  const { db, keyring } = one.installation;
  const text = 'SELECT * FROM secrets WHERE project_id = $1';
  const { rows } = await db.query<SecretRow>({ text, values: [projectId] });
  for (const found of rows) {
    const row = await openRow(keyring, 'secrets', { id: found.id }, found);
    await updateRow(db, keyring, 'secrets', row, { expiration: new Date(Date.now() - 60_000) });
  }
}

describe('a limit on secrets', () => {
  it('is not passed by a hundred creations at once on two servers', async () => {
    const person = await one.person(['creator'], 'crowd');
    const replies = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => await createOn(n % 2 === 0 ? one : two, person)),
    );
    const countOf = (asked: number): number => replies.filter(({ status }) => status === asked).length;
    expect([countOf(201), countOf(403)]).toEqual([7, 93]);
    expect(replies.find(({ status }) => status === 403)?.json).toEqual({
      code: 403,
      title: 'Forbidden',
      description: reached,
    });
    expect((await person.client.get('/v1/secrets')).json.total).toBe(7);
  });

  it('gives a place back for each secret that is deleted', async () => {
    const person = await one.person(['creator'], 'turnover');
    const made = await Promise.all(Array.from({ length: 7 }, async () => await createOn(one, person)));
    expect((await createOn(two, person)).status).toBe(403);
    expect((await person.client.delete(made[0]?.json.secret_ref)).status).toBe(204);
    expect((await createOn(two, person)).status).toBe(201);
    expect((await createOn(one, person)).status).toBe(403);
  });

  it('gives a place back for each secret that is past its end', async () => {
    const person = await one.person(['creator'], 'ending');
    const expiration = new Date(Date.now() + 3_600_000).toISOString();
    await Promise.all(Array.from({ length: 7 }, async () => await createOn(one, person, { expiration })));
    expect((await createOn(one, person)).status).toBe(403);
    await endSecrets(person);
    for (let place = 0; place < 7; place += 1) expect((await createOn(two, person)).status).toBe(201);
    expect((await createOn(one, person)).status).toBe(403);
  });

  it('is each project’s own', async () => {
    const [first, second] = [await one.person(['creator'], 'first'), await one.person(['creator'], 'second')];
    await Promise.all(Array.from({ length: 7 }, async () => await createOn(one, first)));
    expect((await createOn(one, first)).status).toBe(403);
    expect((await createOn(one, second)).status).toBe(201);
  });

  it('is judged after rights and body', async () => {
    const full = await one.person(['creator'], 'first');
    const reader = await one.person(['observer'], 'first');
    expect((await createOn(one, full, { bit_length: 'x' })).status).toBe(400);
    expect((await createOn(one, reader)).json.description).toContain('attempt not allowed');
  });
});

describe('GET /v1/quotas', () => {
  it('shows at once what was set on another server', async () => {
    const person = await one.person(['creator'], 'shown');
    const boss = await one.person(['key-manager:service-admin'], 'shown');
    const headers = { 'x-auth-token': boss.token };
    const path = `/v1/project-quotas/${person.projectId}`;
    const shown = async () => (await person.client.get('/v1/quotas')).json.quotas.secrets;
    await createOn(one, person);
    expect(await shown()).toBe(7);
    const body = { project_quotas: { secrets: 3 } };
    expect((await two.stranger.put(path, body, { headers })).status).toBe(204);
    expect(await shown()).toBe(3);
    expect((await two.stranger.delete(path, { headers })).status).toBe(204);
    expect(await shown()).toBe(7);
  });
});
