import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readUser } from '../../src/identity/rights.ts';
import { insertCredential } from '../../src/identity/applications/credential-rows.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { within } from '../harness/within.ts';
import { clientWith, createCredential, credentialsOf, makeCredential } from './applications.ts';
import { rawClient, type Reply } from './raw-http.ts';

const lines: Record<string, unknown>[] = [];
let coffer: StartedCoffer;
let beside: StartedCoffer;
let owner: Person;

beforeAll(async () => {
  const log = new Writable({
    write: (chunk, _encoding, done) => {
      for (const line of String(chunk).trim().split('\n')) lines.push(JSON.parse(line));
      done();
    },
  });
  coffer = await startCoffer({ log });
  beside = await startCoffer({ beside: coffer });
  owner = await coffer.person(['creator'], 'demo');
});
afterAll(async () => {
  await beside.stop();
  await coffer.stop();
});
beforeEach(() => {
  lines.length = 0;
});

const TOO_MANY =
  'Unable to create additional application credentials, maximum of 100 already exceeded for user.';
const TOO_MANY_RULES = 'Unable to create additional access rules, maximum of 1000 already exceeded for user.';
const outcomeOf = ({ status, json }: Reply) => (status === 201 ? '201' : `${status} ${json.error.message}`);
const create = async (fields: object = {}, by = owner) => await createCredential(by, fields);

/** Made past the API, which takes its time. */
async function fill({ userId, projectId }: Person, count: number, withRules: number): Promise<void> {
  const parts = { ...coffer.installation, clock: { now: () => new Date() } };
  const common = { userId, projectId, description: null, secret: null, expires: null, unrestricted: false };
  await parts.db.transaction(async (tx) => {
    for (let at = 0; at < count; at += 1) {
      const accessRules = at < withRules ? rulesOf(at) : null;
      const draft = { ...common, name: `filler ${at}`, roles: [], accessRules };
      await insertCredential(parts, tx, draft);
    }
  });
}

/** A hundred of its own. */
function rulesOf(at: number): { service: string; method: string; path: string }[] {
  return Array.from({ length: 100 }, (_, rule) => {
    return { service: 'key-manager', method: 'GET', path: `/v1/${at}/${rule}` };
  });
}

/** Eight on two servers, held back until some of them wait for the user's row or for each other. */
async function createTogether(person: Person, fieldsOf: (at: number) => object): Promise<Reply[]> {
  const there = { ...person, client: rawClient(beside.url, person.token) };
  let replies: Promise<Reply>[] = [];
  await coffer.installation.db.transaction(async (tx) => {
    await tx.query({ text: 'SELECT FROM users WHERE id = $1 FOR UPDATE', values: [person.userId] });
    replies = Array.from({ length: 8 }, async (_, at) => {
      return await create(fieldsOf(at), at % 2 === 0 ? person : there);
    });
    await within(10_000, async () => {
      const { rows } = await tx.query<{ count: string }>({
        text: `SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        values: [],
      });
      expect(Number(rows[0]?.count)).toBeGreaterThan(1);
    });
  });
  return await Promise.all(replies);
}

async function countRows({ userId }: Person): Promise<number[]> {
  const counts = ['application_credentials', 'access_rules'].map(async (table) => {
    const { rows } = await coffer.installation.db.query<{ count: string }>({
      text: `SELECT count(*) FROM ${table} WHERE user_id = $1`,
      values: [userId],
    });
    return Number(rows[0]?.count);
  });
  return await Promise.all(counts);
}

describe('a user', () => {
  it('has a hundred credentials at most, however many are made at once, and one more for each deleted', async () => {
    await fill(owner, 99, 0);
    const replies = await createTogether(owner, () => ({}));
    const outcomes = replies.map(outcomeOf).sort();
    expect(outcomes).toEqual(['201', ...Array.from({ length: 7 }, () => `403 ${TOO_MANY}`)]);
    expect((await owner.client.get(credentialsOf(owner))).json.application_credentials.length).toBe(100);
    const made = replies.find(({ status }) => status === 201)?.json.application_credential.id;
    expect((await owner.client.delete(`${credentialsOf(owner)}/${made}`)).status).toBe(204);
    expect(outcomeOf(await create())).toEqual('201');
    expect(outcomeOf(await create())).toEqual(`403 ${TOO_MANY}`);
    const other = await coffer.person(['creator'], 'demo');
    expect(outcomeOf(await create({}, other))).toEqual('201');
  });

  it('has a thousand access rules at most; to give one of those again is no more', async () => {
    const person = await coffer.person(['creator'], 'demo');
    await fill(person, 9, 9);
    expect(outcomeOf(await create({ access_rules: rulesOf(9).slice(0, 90) }, person))).toEqual('201');
    const replies = await createTogether(person, (at) => ({ access_rules: rulesOf(100 + at).slice(0, 10) }));
    expect(replies.map(outcomeOf).sort()).toEqual([
      '201',
      ...Array.from({ length: 7 }, () => `403 ${TOO_MANY_RULES}`),
    ]);
    const [known] = rulesOf(8);
    const refused = await create({ access_rules: [known, { ...known, path: '/v1/new' }] }, person);
    expect(outcomeOf(refused)).toEqual(`403 ${TOO_MANY_RULES}`);
    expect(outcomeOf(await create({ access_rules: [known] }, person))).toEqual('201');
    expect(await countRows(person)).toEqual([12, 1_000]);
  });

  it('of as many as may be loses a role, and is deleted, with all of them', async () => {
    const admin = await coffer.person(['admin'], 'elsewhere');
    const [loser, goner] = [await coffer.person(['creator', 'observer']), await coffer.person(['creator'])];
    for (const person of [loser, goner]) {
      await fill(person, 100, 10);
      expect(await countRows(person)).toEqual([100, 1_000]);
    }
    const parts = { ...coffer.installation, clock: { now: () => new Date() } };
    const known = await readUser(parts, loser.userId, null);
    const role = [...(known?.roles.values() ?? [])].find(({ name }) => name === 'creator');
    const grant = `/identity/v3/projects/${loser.projectId}/users/${loser.userId}/roles/${role?.id}`;
    expect((await admin.client.delete(grant)).status).toBe(204);
    expect(await countRows(loser)).toEqual([0, 1_000]);
    expect((await admin.client.delete(`/identity/v3/users/${goner.userId}`)).status).toBe(204);
    expect(await countRows(goner)).toEqual([0, 0]);
  });
});

describe('on record', () => {
  const decisions = () =>
    lines.flatMap(({ audit, msg }) => {
      const { action, outcome } = (audit ?? {}) as Record<string, unknown>;
      return msg === 'decision' ? [[action, outcome]] : [];
    });

  it('is what a token may not do with credentials as refused, and once', async () => {
    const person = await coffer.person(['creator'], 'demo');
    const path = credentialsOf(person);
    const body = { application_credential: { name: 'made by another' } };
    const own = await makeCredential(person);
    const restricted = await clientWith(coffer, own);
    const unrestricted = await clientWith(coffer, await makeCredential(person, { unrestricted: true }));
    const unscoped = rawClient(coffer.url, await coffer.logIn(person.name, person.password));
    lines.length = 0;
    const refused = [
      await restricted.post(path, body),
      await unscoped.post(path, body),
      await owner.client.post(path, body),
      await restricted.delete(`${path}/${own.id}`),
      await owner.client.delete(`${path}/${own.id}`),
    ];
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
    expect(decisions()).toEqual([
      ...refused.slice(0, 3).map(() => ['identity:create_application_credential', 'refused']),
      ...refused.slice(3).map(() => ['identity:delete_application_credential', 'refused']),
    ]);
    lines.length = 0;
    expect((await unrestricted.post(path, body)).status).toBe(201);
    expect((await unrestricted.delete(`${path}/${own.id}`)).status).toBe(204);
    expect(decisions()).toEqual([
      ['identity:create_application_credential', 'allowed'],
      ['identity:delete_application_credential', 'allowed'],
    ]);
  });
});
