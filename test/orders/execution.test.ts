import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Coffer } from '../../src/coffer.ts';
import { updateRow } from '../../src/db/sealed.ts';
import { removeAssignments } from '../../src/identity/assignments.ts';
import { createPresentRoles } from '../../src/identity/present-roles.ts';
import { type KnownUser, readUser } from '../../src/identity/rights.ts';
import { createOrderRun } from '../../src/orders/execution.ts';
import { createProjectDeletion, deleteProject } from '../../src/projects/deletion.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { childrenOf } from './children.ts';
import {
  countOf,
  empty,
  endLeases,
  KEY,
  PAIR,
  runOf,
  startWithoutWorker,
  submit,
  workOff,
  working,
} from './order-stage.ts';

let server: StartedCoffer;
let coffer: Coffer;
let person: Person;
beforeAll(async () => {
  server = await startWithoutWorker();
  ({ coffer } = server.server);
  person = await server.person(['admin', 'creator'], 'orders');
});
beforeEach(async () => await empty(coffer, person.projectId));
afterAll(async () => await server.stop());

const show = async (reference: string, who = person) => (await who.client.get(reference)).json;

/** A coffer whose n-th transaction waits until it is let go on. */
function hangingCoffer(): { hung: Coffer; hangs: Promise<void>; goOn: () => void } {
  let goOn = (): void => {};
  let begun = (): void => {};
  const hangs = new Promise<void>((resolve) => (begun = resolve));
  const released = new Promise<void>((resolve) => (goOn = resolve));
  const transaction: Coffer['db']['transaction'] = async (use) => {
    begun();
    await released;
    return await coffer.db.transaction(use);
  };
  return { hung: { ...coffer, db: { ...coffer.db, transaction } }, hangs, goOn };
}

it('takes over the order of a worker that hangs, which then does nothing any more', async () => {
  const reference = await submit(person, KEY);
  const { hung, hangs, goOn } = hangingCoffer();
  const hanging = runOf(hung, 'key')(working);
  await hangs;
  expect(await runOf(coffer, 'key')(working)).toBe('done');
  await endLeases(coffer);
  await workOff(coffer, 'key');
  const { secret_ref } = await show(reference);
  goOn();
  await hanging;
  expect((await show(reference)).secret_ref).toBe(secret_ref);
  expect(await countOf(coffer, person.projectId)).toEqual({
    orders: 1,
    secrets: 1,
    containers: 0,
    leases: 0,
  });
});

it('lets a worker finish whose time is over, as long as nobody else took its order', async () => {
  const reference = await submit(person, KEY);
  const { hung, hangs, goOn } = hangingCoffer();
  const late = runOf(hung, 'key')(working);
  await hangs;
  await endLeases(coffer);
  goOn();
  await late;
  expect((await show(reference)).status).toBe('ACTIVE');
  expect(await countOf(coffer, person.projectId)).toMatchObject({ secrets: 1, leases: 0 });
});

it.each([
  ['before it generates', async () => {}],
  [
    'while it generates',
    async () => await expect.poll(() => childrenOf(process.pid), { timeout: 20_000 }).not.toEqual([]),
  ],
])('gives its order back when it is told to stop %s, and counts no attempt', async (_when, comes) => {
  const reference = await submit(person, {
    type: 'asymmetric',
    meta: { algorithm: 'dsa', bit_length: 4096 },
  });
  const stopping = new AbortController();
  const run = runOf(coffer, 'asymmetric')(stopping.signal);
  await comes();
  stopping.abort();
  await run;
  const { rows } = await coffer.db.query({ text: 'SELECT attempts, due <= now() AS due FROM order_leases' });
  expect(rows).toEqual([{ attempts: 0n, due: true }]);
  expect((await show(reference)).status).toBe('PENDING');
});

it('tries five times with longer and longer rests, and then ends in ERROR with a reason', async () => {
  const reference = await submit(person, KEY);
  let attempts = 0;
  const rolesNow = async (): Promise<string[]> => {
    attempts += 1;
    throw new Error('broken on purpose');
  };
  const counted: string[] = [];
  const countOutcome = (lane: string, outcome: string): void => void counted.push(`${lane} ${outcome}`);
  const run = createOrderRun({ coffer, rolesNow, countOutcome }, 'key');
  const rests: { most: number; least: number }[] = [];
  while ((await show(reference)).status === 'PENDING') {
    const { rows: times } = await coffer.db.query<{ now: Date }>({ text: 'SELECT now() AS now' });
    expect(await run(working)).toBe('more');
    // Counted from a moment before it was put off, and from one after.
    const { rows } = await coffer.db.query<(typeof rests)[number]>({
      text: `SELECT extract(epoch FROM due - $1::timestamptz)::float8 AS most,
          extract(epoch FROM due - now())::float8 AS least FROM order_leases`,
      values: [times[0]?.now],
    });
    rests.push(...rows);
    await coffer.db.query({ text: `UPDATE order_leases SET due = due + interval '1 hour'` });
    expect(await run(working)).toBe('done');
    await endLeases(coffer);
  }
  expect(attempts).toBe(5);
  expect(counted).toEqual([...Array.from({ length: 4 }, () => 'key retried'), 'key error']);
  for (const [index, { most, least }] of rests.entries()) {
    expect(most).toBeGreaterThan(4 ** index * 0.5);
    expect(least).toBeLessThan(4 ** index);
  }
  expect(rests).toHaveLength(4);
  expect(await show(reference)).toMatchObject({
    status: 'ERROR',
    error_status_code: '500',
    error_reason: 'Process TypeOrder failure seen - please contact site administrator.',
  });
  expect(await countOf(coffer, person.projectId)).toEqual({
    orders: 1,
    secrets: 0,
    containers: 0,
    leases: 0,
  });
});

it('makes nothing for somebody who was disabled, or lost the role, since the order was submitted', async () => {
  const changes: ((who: Person) => Promise<void>)[] = [
    async ({ userId }) => await disable(userId),
    async ({ userId }) => await takeRoles(userId),
  ];
  for (const change of changes) {
    const who = await server.person(['creator'], 'orders');
    const reference = await submit(who, KEY);
    await change(who);
    await workOff(coffer, 'key');
    expect(await show(reference)).toMatchObject({
      status: 'ERROR',
      error_status_code: '403',
      error_reason: 'Process TypeOrder attempt not allowed - please review your user/project privileges',
    });
  }
  expect(await countOf(coffer, person.projectId)).toMatchObject({ orders: 2, secrets: 0, leases: 0 });
});

async function known(userId: string): Promise<KnownUser> {
  const user = await readUser(coffer, userId, null);
  if (user === undefined) throw new Error('the user is gone');
  return user;
}

async function disable(userId: string): Promise<void> {
  const { user } = await known(userId);
  await updateRow(coffer.db, coffer.keyring, 'users', user, { enabled: false });
}

async function takeRoles(userId: string): Promise<void> {
  const user = await known(userId);
  await removeAssignments(coffer, user, user.assignments);
}

it('gives an order no more than it was submitted with, whatever its creator was given since', async () => {
  const reference = await submit(person, KEY);
  const present = createPresentRoles(coffer);
  const rolesNow = async (submitter: Parameters<typeof present>[0]): Promise<string[]> => {
    expect(submitter).toMatchObject({ userId: person.userId, projectId: person.projectId });
    return [...(await present(submitter)), 'key-manager:service-admin'];
  };
  const unable = { ...coffer, rules: 'secure' } as const;
  const withoutMember = async (submitter: Parameters<typeof present>[0]): Promise<string[]> =>
    (await rolesNow(submitter)).filter((role) => role !== 'member');
  const work = { coffer: unable, rolesNow: withoutMember, countOutcome: () => {} };
  await createOrderRun(work, 'key')(working);
  expect((await show(reference)).error_status_code).toBe('403');
});

it('leaves nothing when the project is deleted while its orders wait', async () => {
  const who = await server.person(['admin', 'creator'], 'doomed');
  await submit(who, KEY);
  await submit(who, PAIR);
  await deleteProject(coffer, who.projectId);
  await workOff(coffer, 'key');
  const run = createProjectDeletion(coffer, { removeRoles: async () => 'done' });
  while ((await run(working)) === 'more');
  await workOff(coffer, 'key');
  await workOff(coffer, 'asymmetric');
  expect(await countOf(coffer, who.projectId)).toEqual({ orders: 0, secrets: 0, containers: 0, leases: 0 });
});

it('leaves and counts an order whose row was altered, looks again after minutes, and goes on with the others', async () => {
  const [altered, other] = [await submit(person, KEY), await submit(person, KEY)];
  await coffer.db.query({
    text: `UPDATE orders SET creator_id = 'somebody' WHERE id = $1`,
    values: [altered.slice(-36)],
  });
  const counted: string[] = [];
  const integrityViolations = { count: (where: string) => void counted.push(where) };
  await workOff({ ...coffer, integrityViolations }, 'key');
  expect(counted).toEqual(['orders']);
  expect((await show(other)).status).toBe('ACTIVE');
  expect((await person.client.get(altered)).status).toBe(500);
  expect(await countOf(coffer, person.projectId)).toMatchObject({ secrets: 1, leases: 1 });
  const { rows } = await coffer.db.query({
    text: `SELECT attempts, due > now() + interval '2 minutes' AS rests FROM order_leases`,
  });
  expect(rows).toEqual([{ attempts: 0n, rests: true }]);
});

it.each([
  ['-100', 0.5, 1],
  ['1000', 150, 300],
])(
  'rests as long as is sound after a failure, though %s attempts are said to be made',
  async (attempts, least, most) => {
    await submit(person, KEY);
    await coffer.db.query({ text: 'UPDATE order_leases SET attempts = $1', values: [attempts] });
    const transaction = async (): Promise<never> => {
      throw new Error('broken on purpose');
    };
    const { rows: before } = await coffer.db.query<{ now: Date }>({ text: 'SELECT now() AS now' });
    await runOf({ ...coffer, db: { ...coffer.db, transaction } }, 'key')(working);
    const { rows } = await coffer.db.query<Record<'most' | 'least', number>>({
      text: `SELECT extract(epoch FROM due - $1::timestamptz)::float8 AS most,
        extract(epoch FROM due - now())::float8 AS least FROM order_leases`,
      values: [before[0]?.now],
    });
    expect(rows[0]?.most).toBeGreaterThan(least);
    expect(rows[0]?.least).toBeLessThan(most);
  },
);

it('works on one order once when leases were altered, copied or put back by hand', async () => {
  const reference = await submit(person, KEY);
  const { rows: kept } = await coffer.db.query({ text: 'SELECT * FROM order_leases' });
  await workOff(coffer, 'key');
  const { secret_ref } = await show(reference);
  const lease = kept[0] as Record<string, unknown>;
  await coffer.db.query({
    text: `INSERT INTO order_leases SELECT $1, 'another-project', 'key', now(), -100, 7`,
    values: [lease['order_id']],
  });
  await workOff(coffer, 'key');
  expect((await show(reference)).secret_ref).toBe(secret_ref);
  expect(await countOf(coffer, person.projectId)).toEqual({
    orders: 1,
    secrets: 1,
    containers: 0,
    leases: 0,
  });
});

it('serves projects in turn, however many orders one of them has', async () => {
  const others = [await server.person(['creator'], 'modest-1'), await server.person(['creator'], 'modest-2')];
  for (let count = 0; count < 12; count += 1) await submit(person, KEY);
  for (const other of others) for (let count = 0; count < 2; count += 1) await submit(other, KEY);
  const run = runOf(coffer, 'key');
  for (let turn = 0; turn < 6; turn += 1) await run(working);
  for (const { projectId } of others) expect((await countOf(coffer, projectId)).secrets).toBe(2);
  expect((await countOf(coffer, person.projectId)).secrets).toBe(2);
  await workOff(coffer, 'key');
  expect((await countOf(coffer, person.projectId)).secrets).toBe(12);
});

it('does not keep keys waiting for pairs', async () => {
  for (let count = 0; count < 3; count += 1) {
    await submit(person, { type: 'asymmetric', meta: { algorithm: 'dsa', bit_length: 4096 } });
  }
  const reference = await submit(person, KEY);
  expect(await runOf(coffer, 'key')(working)).toBe('more');
  expect((await show(reference)).status).toBe('ACTIVE');
});

it('shares the orders of one database among servers: each order once', async () => {
  const env = { COFFER_WORKER: 'on' };
  const nodes = [await startCoffer({ beside: server, env }), await startCoffer({ beside: server, env })];
  try {
    const references = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => await submit(person, index % 6 === 0 ? PAIR : KEY)),
    );
    for (const reference of references) {
      await expect.poll(async () => (await show(reference)).status, { timeout: 30_000 }).toBe('ACTIVE');
    }
    expect(await countOf(coffer, person.projectId)).toEqual({
      orders: 60,
      secrets: 50 + 30,
      containers: 10,
      leases: 0,
    });
  } finally {
    for (const node of nodes) await node.stop();
  }
});
