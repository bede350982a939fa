import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAYOUTS } from '../../src/db/layouts.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { FAULTS, type Fault, failCallsOf, type FailingCalls } from './failing-calls.ts';
import { IDENTITY_OPERATIONS } from './identity-operations.ts';
import { type Operation, OPERATIONS, type Trial } from './operations.ts';

// Each operation is run with its first call to the database failing, then its second, and so on until it runs
// to its end without meeting the fault. Whatever fails, all of the operation has happened or nothing of it.

const CALLS_MAX = 60;
const ROLES = ['admin', 'creator', 'key-manager:service-admin'];
let folder: string;
let coffer: StartedCoffer;
let somebody: Person;
let calls: FailingCalls;

beforeAll(async () => {
  // A job of its own would meet the faults that are meant for the operations.
  folder = mkdtempSync(join(tmpdir(), 'coffer-faults-'));
  const stores = ['main', 'second'].map((name) => `${name}=software:${join(folder, name)}`).join(',');
  coffer = await startCoffer({ env: { COFFER_STORES: stores, COFFER_WORKER: 'off' } });
  calls = failCallsOf(coffer.installation.db.pool);
});

afterAll(async () => {
  await coffer.stop();
  rmSync(folder, { recursive: true });
});

/** Rows of a project's own tables, by table; a KEK is whole by itself, and waits for the next writer. */
async function countRows(projectId: string): Promise<Record<string, number>> {
  const owned = Object.entries(LAYOUTS).filter(
    ([table, layouts]) =>
      table !== 'keks' && layouts.some(({ columns }) => columns.some(([name]) => name === 'project_id')),
  );
  const counts = await Promise.all(
    owned.map(async ([table]) => {
      const { rows } = await coffer.installation.db.query<{ n: bigint }>({
        text: `SELECT count(*) AS n FROM ${table} WHERE project_id = $1`,
        values: [projectId],
      });
      return [table, Number(rows[0]?.n)] as const;
    }),
  );
  return Object.fromEntries(counts);
}

interface Round {
  trial: Trial;
  state: () => Promise<unknown>;
}

async function prepare(operation: Operation): Promise<Round> {
  const person = await coffer.elsewhere(somebody, ROLES, `faults-${crypto.randomUUID()}`);
  const trial = await operation.prepare({ coffer, person });
  // What the server remembers would spare it the calls that are to fail.
  coffer.installation.keyring.forgetProject();
  return { trial, state: async () => [await trial.look(), await countRows(person.projectId)] };
}

/** What there is before and after, when nothing fails. */
async function learn(operation: Operation): Promise<{ before: unknown; after: unknown }> {
  const { trial, state } = await prepare(operation);
  const before = await state();
  const reply = await trial.act();
  expect([operation.title, reply.status, reply.text]).toEqual([
    operation.title,
    operation.statuses[0],
    reply.text,
  ]);
  return { before, after: await state() };
}

/** Whether the fault was met. */
async function tryWith(
  operation: Operation,
  fault: Fault,
  n: number,
  known: { before: unknown; after: unknown },
): Promise<boolean> {
  const { trial, state } = await prepare(operation);
  calls.arm(fault, n);
  const reply = await trial.act().finally(() => calls.disarm());
  const struck = calls.hasStruck();
  const found = await state();
  const what = `call ${n} ${fault}: ${reply.status} ${reply.text}`;
  if (reply.status === 503) {
    expect(reply.headers['retry-after'], what).toMatch(/^\d+$/);
    expect([known.before, known.after], what).toContainEqual(found);
  } else {
    expect(operation.statuses, what).toContain(reply.status);
    expect(found, what).toEqual(known.after);
  }
  const again = await trial.act();
  expect(operation.statuses, `${what}, and then ${again.status} ${again.text}`).toContain(again.status);
  return struck;
}

describe('whichever call to the database fails, nothing is half done and the next request works', () => {
  it.for(
    [...OPERATIONS, ...IDENTITY_OPERATIONS].flatMap((operation) =>
      FAULTS.map((fault) => ({ operation, fault })),
    ),
  )('$operation.title, $fault', { timeout: 120_000 }, async ({ operation, fault }) => {
    // For each anew: with the roles of a thousand projects every look at them takes its time.
    somebody = await coffer.person(['admin'], 'faults');
    const known = await learn(operation);
    let n = 1;
    while (await tryWith(operation, fault, n, known)) {
      n += 1;
      expect(n).toBeLessThan(CALLS_MAX);
    }
    // A fault that no operation ever meets would prove nothing.
    expect(n).toBeGreaterThan(1);
  });
});
