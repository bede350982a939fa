import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/db/open.ts';
import { registerKeyMetrics } from '../../src/rotation/metrics.ts';
import { beginRotation } from '../../src/rotation/rotation.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { fillProject, finishRotation, partsOf } from './stage.ts';

let coffer: StartedCoffer;
let person: Person;
let now = 0;
const registry = new Registry();

beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off', COFFER_METRICS: '1' } });
  person = await coffer.person(['creator'], 'measured');
  await fillProject(person, 5);
  registerKeyMetrics(registry, coffer.installation.db, () => now);
});
beforeEach(() => {
  now += 60_000;
});
afterAll(async () => await coffer.stop());

async function series(of = registry): Promise<Record<string, number>> {
  const lines = (await of.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

describe('the metrics of keys', () => {
  it('count KEKs by their master keys, and say how old the oldest is', async () => {
    const found = await series();
    expect(found['coffer_keks{store="software",master_key="mk-test"}']).toBe(2);
    expect(found['coffer_kek_oldest_seconds']).toBeGreaterThan(0);
    expect(found['coffer_rotations{state="moving"}']).toBe(0);
  });

  it('follow a rotation: moving, then waiting for the old key to go, then none', async () => {
    const parts = partsOf(coffer);
    await beginRotation(parts, person.projectId);
    expect(await series()).toMatchObject({
      'coffer_rotations{state="moving"}': 1,
      'coffer_keks{store="software",master_key="mk-test"}': 3,
    });
    const { continueRotation } = await import('../../src/rotation/rotation.ts');
    const pace = { rowsAtOnce: 3, rowsPerSecond: 1_000_000, restSeconds: 60 };
    const { signal } = new AbortController();
    expect(await continueRotation(parts, pace, { signal })).toMatchObject({ state: 'waiting' });
    now += 60_000;
    const waiting = await series();
    expect(waiting).toMatchObject({
      'coffer_rotations{state="moving"}': 0,
      'coffer_rotations{state="waiting"}': 1,
    });
    expect(waiting['coffer_rotation_rows{state="moved"}']).toBeGreaterThanOrEqual(8);
    await coffer.installation.db.query({ text: 'UPDATE kek_rotations SET leased_until = NULL' });
    expect(await finishRotation(parts, person.projectId)).toBe('done');
    now += 60_000;
    expect(await series()).toMatchObject({
      'coffer_rotations{state="waiting"}': 0,
      'coffer_rotation_rows{state="moved"}': 0,
      'coffer_keks{store="software",master_key="mk-test"}': 2,
    });
  });

  it('count the rows that block one, also when none was moved', async () => {
    const other = await coffer.person(['creator'], 'blocked');
    await other.client.post('/v1/secrets', { name: 'one' });
    const { db } = coffer.installation;
    const of = { values: [other.projectId] };
    await db.query({ text: `UPDATE secrets SET name = 'forged' WHERE project_id = $1`, ...of });
    await beginRotation(partsOf(coffer), other.projectId);
    expect(await finishRotation(partsOf(coffer), other.projectId)).toBe('blocked');
    expect(await series()).toMatchObject({
      'coffer_rotations{state="blocked"}': 1,
      'coffer_rotation_rows{state="damaged"}': 1,
    });
    await db.query({ text: `UPDATE secrets SET name = 'one' WHERE project_id = $1`, ...of });
    await db.query({ text: 'UPDATE kek_rotations SET leased_until = NULL' });
    expect(await finishRotation(partsOf(coffer), other.projectId)).toBe('done');
  });

  it('are read at most every ten seconds, and stay few whatever names are in the database', async () => {
    const before = await series();
    const { db } = coffer.installation;
    await db.query({
      text: `INSERT INTO keks SELECT gen_random_uuid(), 'made up', 'software', repeat('x', 100) || n, '', '',
        now(), now(), 1, n, '' FROM generate_series(1, 100) AS n`,
    });
    await db.query({
      text: `INSERT INTO keks SELECT gen_random_uuid(), 'made up', 'software', 'y' || n, '', '',
        now(), now(), 1, n + 1000, '' FROM generate_series(1, 100) AS n`,
    });
    expect(await series()).toEqual(before);
    now += 10_000;
    const after = Object.keys(await series()).filter((name) => name.startsWith('coffer_keks'));
    expect(after).toHaveLength(20);
    expect(Math.max(...after.map(({ length }) => length))).toBeLessThan(200);
    await db.query({ text: `DELETE FROM keks WHERE project_id = 'made up'` });
  });

  it('are left out while the database is away', async () => {
    const away = openDatabase({ connection: 'postgres://127.0.0.1:1/none' });
    const alone = new Registry();
    registerKeyMetrics(alone, away);
    expect(await series(alone)).toEqual({});
    await away.close();
  });

  it('are served with the others', async () => {
    const { text } = await coffer.stranger.get('/metrics');
    expect(text).toContain('coffer_keks{store="software",master_key="mk-test"}');
    expect(text).toContain('coffer_rotations{state="blocked"} 0');
  });
});
