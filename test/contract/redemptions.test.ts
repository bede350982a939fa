import { request } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openRow, updateRow } from '../../src/db/sealed.ts';
import {
  type App,
  createApp,
  deleteApp,
  getApp,
  type NewApp,
  revokeApp,
} from '../../src/identity/applications/apps.ts';
import { createProject } from '../../src/identity/administration.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { clientWith, logInWith } from './applications.ts';

const log = new PassThrough();
let logged = '';
let one: StartedCoffer;
let two: StartedCoffer;

beforeAll(async () => {
  log.on('data', (chunk: Buffer) => (logged += chunk.toString()));
  one = await startCoffer({ log });
  two = await startCoffer({ beside: one });
  await createProject(parts(), 'shop');
});
afterAll(async () => {
  await two.stop();
  await one.stop();
});

const parts = () => ({ ...one.installation, clock: { now: () => new Date() } });

let apps = 0;
async function makeApp(changes: Partial<NewApp> = {}): Promise<App & { code: string }> {
  apps += 1;
  const wanted = { name: `app-${apps}`, project: 'shop', createProject: false, roles: ['observer'] };
  const more = { rules: null, expires: null, source: null, printsSecret: false };
  const made = await createApp(parts(), { ...wanted, ...more, ...changes });
  if (!('code' in made)) throw new Error('a secret, and no code');
  return made;
}

interface Answer {
  status: number;
  json: Record<string, string>;
  headers: Record<string, unknown>;
}

let peers = 0;
/** From an address of its own each time, unless one is given: attempts are counted by address. */
async function redeem(body: unknown, { on = one, from }: { on?: StartedCoffer; from?: string } = {}) {
  peers += 1;
  const localAddress = from ?? `127.0.${1 + Math.floor(peers / 250)}.${1 + (peers % 250)}`;
  return await new Promise<Answer>((resolve, reject) => {
    const options = { method: 'POST', localAddress, headers: { 'content-type': 'application/json' } };
    const outgoing = request(`${on.url}/v2/redemptions`, options, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, json: JSON.parse(text) as Record<string, string>, headers });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}

const logIn = async ({ id, secret }: { id?: string; secret?: string }, on = one) =>
  (await logInWith(on, { id, secret })).status;

it('gives the secret, which is made then, and is told to nobody else', async () => {
  const { code, credential, name, user } = await makeApp();
  expect(code).toMatch(/^cofr_[A-Za-z0-9_-]{49}$/);
  expect(credential.secret_hash).toBeNull();
  const { status, json } = await redeem({ code });
  expect(status).toBe(201);
  expect(json).toEqual({
    auth_url: `${one.url}/identity/v3`,
    id: credential.id,
    name,
    secret: expect.stringMatching(/^cofa_[A-Za-z0-9_-]{49}$/),
    user_id: user.id,
    project_id: credential.project_id,
    expires_at: null,
  });
  const client = await clientWith(two, { id: json['id'], secret: json['secret'] });
  expect((await client.get('/v1/secrets')).status).toBe(200);
  expect((await client.post('/v1/secrets', { name: 'x' })).status).toBe(403);
  expect((await getApp(parts(), name)).state).toBe('live');
  expect(logged).toContain(`"action":"redemptions:post","outcome":"allowed","user":"${user.id}"`);
  for (const secret of [code, json['secret'] ?? '']) expect(logged).not.toContain(secret);
});

it('refuses the second who redeems, revokes the credential everywhere, and says so in the log', async () => {
  const { code, credential, name } = await makeApp();
  const first = (await redeem({ code })).json;
  const client = await clientWith(two, first);
  expect((await client.get('/v1/secrets')).status).toBe(200);
  const second = await redeem({ code }, { on: two });
  expect([second.status, second.json['description']]).toEqual([409, expect.stringContaining('is revoked')]);
  expect(second.json).not.toHaveProperty('secret');
  expect([await logIn(first), await logIn(first, two)]).toEqual([401, 401]);
  await vi.waitFor(async () => expect((await client.get('/v1/secrets')).status).toBe(401), 8_000);
  expect((await getApp(parts(), name)).state).toBe('revoked');
  const third = await redeem({ code });
  expect(third.status).toBe(409);
  const line = logged.split('\n').find((text) => text.includes('"outcome":"revoked"'));
  expect(JSON.parse(line ?? '{}')).toMatchObject({
    level: 40,
    audit: { subject: credential.id, source: expect.stringMatching(/^127\./), reason: 'redeemed before' },
  });
});

it('lets one of many at once have it, and revokes it for the others', async () => {
  const { code, name } = await makeApp();
  const answers = await Promise.all(
    Array.from({ length: 8 }, async (_, at) => await redeem({ code }, { on: at % 2 === 0 ? one : two })),
  );
  const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
  expect(statuses).toEqual([201, 409, 409, 409, 409, 409, 409, 409]);
  const winner = answers.find(({ status }) => status === 201)?.json;
  expect((await getApp(parts(), name)).state).toBe('revoked');
  expect(await logIn({ id: winner?.['id'] ?? '', secret: winner?.['secret'] ?? '' })).toBe(401);
});

async function changeRedemption(id: string, changes: { expires?: Date; redeemed?: null }) {
  const { db, keyring } = one.installation;
  const asked = { application_credential_id: id };
  const { rows } = await db.query({
    text: 'SELECT * FROM redemptions WHERE application_credential_id = $1',
    values: [id],
  });
  await updateRow(db, keyring, 'redemptions', await openRow(keyring, 'redemptions', asked, rows[0]), changes);
}

describe('a code gives nothing', () => {
  it('ten minutes after it was made', async () => {
    const { code, credential } = await makeApp();
    await changeRedemption(credential.id, { expires: new Date(Date.now() - 1) });
    expect((await redeem({ code })).status).toBe(404);
    expect((await getApp(parts(), `app-${apps}`)).state).toBe('waiting');
  });

  it('to an address that it is not for, and is still good for the one that it is for', async () => {
    const { code } = await makeApp({ source: '127.0.7.0/24' });
    expect((await redeem({ code }, { from: '127.0.8.1' })).status).toBe(404);
    expect((await redeem({ code }, { from: '127.0.7.9' })).status).toBe(201);
    expect((await redeem({ code }, { from: '127.0.8.1' })).status).toBe(404);
    expect((await getApp(parts(), `app-${apps}`)).state).toBe('live');
  });

  it('for a credential that was revoked, has ended, or was deleted', async () => {
    const revoked = await makeApp();
    await revokeApp(parts(), revoked.name);
    const ended = await makeApp({ expires: new Date(Date.now() + 40) });
    const deleted = await makeApp();
    await deleteApp(parts(), deleted.name);
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const { code } of [revoked, ended, deleted]) expect((await redeem({ code })).status).toBe(404);
  });

  it('once its unused row was put back', async () => {
    const { code, credential } = await makeApp();
    const secret = (await redeem({ code })).json;
    await changeRedemption(credential.id, { redeemed: null });
    expect((await redeem({ code })).status).toBe(500);
    expect(await logIn(secret)).toBe(201);
  });

  it.each(['', 'cofr_', `cofr_${'A'.repeat(49)}`, `cofa_${'A'.repeat(49)}`, 'x'.repeat(500)])(
    'that nobody made: %j',
    async (code) => {
      expect((await redeem({ code })).status).toBe(404);
    },
  );

  it.each(['', '{', '[]', 'null', '{}', '{"code":5}', '{"code":"x","more":1}'])(
    'in a body that is malformed: %s',
    async (body) => {
      expect((await redeem(body)).status).toBe(400);
    },
  );

  it('in a body that is too long, or no JSON', async () => {
    expect((await redeem({ code: 'x'.repeat(2_000) })).status).toBe(413);
    const reply = await one.stranger.post('/v2/redemptions', 'code', {
      headers: { 'content-type': 'text/plain' },
    });
    expect(reply.status).toBe(415);
  });
});

it('sends an address away that tries too often, and no other', async () => {
  const { code } = await makeApp();
  const from = '127.0.9.9';
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 12; attempt += 1) {
    statuses.push((await redeem({ code: `cofr_${'A'.repeat(49)}` }, { from })).status);
  }
  expect(statuses).toEqual([...Array<number>(10).fill(404), 429, 429]);
  const refused = await redeem({ code }, { from });
  expect([refused.status, refused.json['title']]).toEqual([429, 'Too Many Requests']);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60);
  expect((await redeem({ code })).status).toBe(201);
});
