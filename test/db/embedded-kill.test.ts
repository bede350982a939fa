import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startPrivatePostgres } from '../../src/db/embedded.ts';
import { rounds } from '../harness/rounds.ts';
import {
  ask,
  buildOwner,
  makeFolder,
  type Owner,
  processesIn,
  quiet,
  removeFolder,
  startOwner,
} from './embedded-stage.ts';

let programs: string;
let program: string;
let folder: string;
let data: string;
let owners: Owner[];

beforeAll(async () => {
  programs = makeFolder();
  program = await buildOwner(programs);
});
afterAll(() => removeFolder(programs));
beforeEach(() => {
  folder = makeFolder();
  data = join(folder, 'data');
  owners = [];
});
afterEach(async () => {
  for (const owner of owners) await owner.end();
  for (const pid of processesIn(data)) process.kill(pid, 'SIGKILL');
  removeFolder(folder);
});

function start(...work: string[]): Owner {
  const owner = startOwner(program, data, ...work);
  owners.push(owner);
  return owner;
}

async function pidOf(owner: Owner, field = 'ready'): Promise<number> {
  const line = await owner.next(field);
  if (line === undefined) throw new Error('it ended');
  return Number(line[field]);
}

/** Anywhere in the folder, in which others make and remove folders meanwhile. */
function hasFolder(wanted: string): boolean {
  try {
    return readdirSync(folder, { recursive: true }).some((name) => String(name).endsWith(wanted));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return false;
  }
}

/** Every number that was acknowledged before now is there. */
async function expectKept(written: readonly number[]): Promise<void> {
  const postgres = await startPrivatePostgres({ dataDirectory: data, log: quiet });
  const rows = await ask(postgres, 'SELECT number FROM written');
  await postgres.stop();
  const kept = new Set(rows.map(({ number }) => Number(number)));
  expect(written.filter((number) => !kept.has(number))).toEqual([]);
  expect(processesIn(data)).toEqual([]);
}

async function collect(owner: Owner, count: number): Promise<number[]> {
  const written: number[] = [];
  while (written.length < count) written.push(await pidOf(owner, 'written'));
  return written;
}

/** The pid that the server says once PostgreSQL runs again. */
async function pidOfNext(owner: Owner): Promise<number> {
  for (;;) {
    const line = await owner.next('log');
    if (typeof line?.log !== 'string') throw new Error('it ended');
    const pid = /PostgreSQL runs again \(pid (\d+)\)/.exec(line.log)?.[1];
    if (pid !== undefined) return Number(pid);
  }
}

describe('a private PostgreSQL', () => {
  it('is refused to a second process, which ends at once and names the first', async () => {
    const first = start();
    await first.next('ready');
    const second = start();
    expect(await second.next('refused')).toEqual({
      refused: `A Coffer server already runs on ${data}: pid ${first.child.pid}`,
    });
    // Its last line was that: it ends by itself.
    expect(await second.next('anything')).toBeUndefined();
    expect(await second.end()).toBe(78);
    expect(processesIn(data).length).toBeGreaterThan(0);
  });

  it('leaves no process when its server is told to end', async () => {
    const owner = start();
    await owner.next('ready');
    expect(await owner.end('SIGTERM')).toBe(0);
    expect(processesIn(data)).toEqual([]);
  });

  it('is found by the next server when its own was killed, with all that was acknowledged', async () => {
    const written: number[] = [];
    let before: number | undefined;
    for (let round = 0; round < Math.max(2, rounds(20)); round++) {
      const owner = start('write');
      const ready = await owner.next('ready');
      expect(ready?.takenOver).toBe(round > 0);
      if (before !== undefined) expect(processesIn(data)).not.toContain(before);
      written.push(...(await collect(owner, 25)));
      await owner.end('SIGKILL');
      before = Number(ready?.ready);
      expect(processesIn(data)).toContain(before);
    }
    await expectKept(written);
  });

  it('comes back by itself when it is killed during writes, with all that was acknowledged', async () => {
    const owner = start('write');
    let pid = await pidOf(owner);
    const written: number[] = [];
    for (let round = 0; round < Math.max(2, rounds(20)); round++) {
      written.push(...(await collect(owner, 25)));
      process.kill(pid, 'SIGKILL');
      pid = await pidOfNext(owner);
    }
    written.push(...(await collect(owner, 25)));
    await owner.end('SIGTERM');
    await expectKept(written);
  });

  it('starts after its server and itself were killed, whatever its orphans hold', async () => {
    const owner = start('write');
    const pid = await pidOf(owner);
    const written = await collect(owner, 50);
    owner.child.kill('SIGKILL');
    process.kill(pid, 'SIGKILL');
    await owner.end();
    await expectKept(written);
  });

  it('starts when another process has the pid that it noted', async () => {
    const postgres = await startPrivatePostgres({ dataDirectory: data, log: quiet });
    await ask(postgres, 'CREATE TABLE written AS SELECT 1 AS number');
    await postgres.stop();
    const innocent = startOwner(program, join(folder, 'other.pid'), 'race');
    owners.push(innocent);
    await innocent.next('ready');
    writeFileSync(
      join(data, 'postgres', 'postmaster.pid'),
      `${innocent.child.pid}\n${data}/postgres\n1\n5432\n`,
    );
    await expectKept([1]);
    expect(innocent.child.exitCode).toBeNull();
  });

  it('begins anew when its first start was cut off', async () => {
    const owner = start();
    while (!hasFolder('base')) await sleep(5);
    await owner.end('SIGKILL');
    expect(existsSync(join(data, 'postgres'))).toBe(false);
    const postgres = await startPrivatePostgres({ dataDirectory: data, log: quiet });
    expect(await ask(postgres, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await postgres.stop();
    expect(processesIn(data)).toEqual([]);
    expect(readdirSync(data).sort()).toEqual(['postgres', 'postgres.log']);
  });
});
