import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { insertRow, sealRow } from '../../src/db/sealed.ts';
import { createSecretPurge } from '../../src/secrets/purge.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { startTwoStores } from './two-stores.ts';

const DAY_MS = 86_400_000;
const MONTH_SECONDS = 30 * 86_400;
const working = new AbortController().signal;

let coffer: StartedCoffer;
let person: Person;
let violations = 0;
beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  person = await coffer.person(['creator']);
});
afterAll(async () => await coffer.stop());

/** A secret that ended so many days ago, written as the server writes one. */
async function insertEnded(daysAgo: number | null, of = person, on = coffer): Promise<string> {
  const { db, keyring } = on.installation;
  const project = await keyring.useProject(of.projectId);
  const id = randomUUID();
  const sealed = await keyring.seal('secret', project, id, Buffer.from('the payload'));
  const created = new Date(Date.now() - 400 * DAY_MS);
  const { payload_body, ...columns } = sealed;
  const row = await sealRow(keyring, 'secrets', {
    id,
    project_id: project.id,
    creator_id: of.userId,
    name: null,
    secret_type: 'opaque',
    status: 'ACTIVE',
    algorithm: null,
    bit_length: null,
    mode: null,
    expiration: daysAgo === null ? null : new Date(Date.now() - daysAgo * DAY_MS),
    content_type: 'text/plain',
    user_metadata: null,
    acl: null,
    ...columns,
    created,
    updated: created,
    revision: 1n,
  });
  await insertRow(db, 'secrets', row, { unsealed: { payload_body } });
  return id;
}

async function remaining(on = coffer): Promise<string[]> {
  const { rows } = await on.installation.db.query<{ id: string }>({ text: 'SELECT id FROM secrets' });
  return rows.map(({ id }) => id);
}

async function purge(afterSeconds: number, count: () => void = () => {}): Promise<number> {
  const integrityViolations = { count: () => void (violations += 1) };
  const parts = { ...coffer.server.coffer, integrityViolations };
  const run = createSecretPurge(parts, afterSeconds, count);
  let runs = 1;
  while ((await run(working)) === 'more') runs += 1;
  return runs;
}

it('destroys what ended longer ago than the setting says, and nothing else', async () => {
  const [old, recent, endless] = [await insertEnded(31), await insertEnded(29), await insertEnded(null)];
  let counted = 0;
  await purge(0);
  expect(await remaining()).toContain(old);
  await purge(MONTH_SECONDS, () => (counted += 1));
  expect((await remaining()).sort()).toEqual([recent, endless].sort());
  expect(counted).toBe(1);
});

it('goes on past rows that do not verify, leaves them and counts them', async () => {
  const ids: string[] = [];
  for (let count = 0; count < 130; count += 1) ids.push(await insertEnded(500 - count));
  const altered = ids.slice(0, 110);
  await coffer.installation.db.query({
    text: `UPDATE secrets SET name = 'altered' WHERE id = ANY($1)`,
    values: [altered],
  });
  let counted = 0;
  expect(await purge(MONTH_SECONDS, () => (counted += 1))).toBe(2);
  expect(counted).toBe(20);
  const left = await remaining();
  expect(ids.filter((id) => left.includes(id))).toEqual(altered);
  expect(violations).toBe(110);
});

it('destroys each secret once when two nodes do it at the same time, and stops where it is told to', async () => {
  await coffer.installation.db.query({ text: 'DELETE FROM secrets' });
  for (let count = 0; count < 40; count += 1) await insertEnded(31);
  const stopped = AbortSignal.abort();
  await createSecretPurge(coffer.server.coffer, MONTH_SECONDS, () => {})(stopped);
  expect(await remaining()).toHaveLength(40);
  let counted = 0;
  await Promise.all([1, 2, 3].map(async () => await purge(MONTH_SECONDS, () => (counted += 1))));
  expect(counted).toBe(40);
  expect(await remaining()).toEqual([]);
});

it('goes on past secrets whose store is away, says so once, and destroys them when it is back', async () => {
  const stores = await startTwoStores();
  try {
    const { whole, half, there, here } = stores;
    const kept: string[] = [];
    for (let count = 0; count < 110; count += 1) kept.push(await insertEnded(500 - count, there, whole));
    await insertEnded(40, here, whole);
    let counted = 0;
    const passOn = async ({ server }: StartedCoffer): Promise<void> => {
      const run = createSecretPurge(server.coffer, MONTH_SECONDS, () => (counted += 1));
      while ((await run(working)) === 'more');
    };
    await passOn(half);
    expect(counted).toBe(1);
    expect((await remaining(whole)).sort()).toEqual(kept.sort());
    expect(stores.warnings()).toEqual(['ended secrets are kept while their secret store is away']);
    await passOn(whole);
    expect(counted).toBe(111);
    expect(await remaining(whole)).toEqual([]);
  } finally {
    await stores.stop();
  }
});
