import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SYSTEM_PROJECT } from '../../src/db/layouts.ts';
import type { Lookup } from '../../src/db/lookup.ts';
import type { Db } from '../../src/db/open.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { type TestDatabase, createTestDatabase } from '../db/test-database.ts';
import { createBootstrappedKeyring, createTestKeyring, insertProject } from './test-keyring.ts';

interface Written {
  projectId: string;
  ownerId: string;
  epoch: string;
  dek: string;
  head: string;
  body: string;
}

const EXTERNAL = Array.from({ length: 5 }, (_, index) => `external-${index}`);
const LOCAL = Array.from({ length: 5 }, (_, index) => `local-${index}`);
const PROJECTS = [...EXTERNAL, ...LOCAL];

let folder: string;
let database: TestDatabase;
let keyring: Keyring;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coffer-writers-'));
  database = await createTestDatabase();
  keyring = await createBootstrappedKeyring(database.db);
  for (const id of LOCAL) await insertProject(database.db, keyring, id);
});
afterAll(async () => {
  keyring.close();
  await database.drop();
  await rm(folder, { recursive: true });
});

async function keksOf(projectId: string): Promise<number> {
  const text = 'SELECT count(*) AS count FROM keks WHERE project_id = $1';
  return Number((await database.db.query({ text, values: [projectId] })).rows[0]?.count);
}

async function expectReadable({ projectId, ownerId, ...written }: Written): Promise<void> {
  const fromHex = (digits: string): Buffer => Buffer.from(digits, 'hex');
  const payload = await keyring.open('secret', projectId, ownerId, {
    epoch: BigInt(written.epoch),
    dek: fromHex(written.dek),
    payload_head: fromHex(written.head),
    payload_body: fromHex(written.body),
  });
  expect(Buffer.from(payload).toString()).toBe(`payload ${ownerId}`);
}

/** A keyring, and how many KEKs it had its backend make. */
function countingKeyring(db: Db): { keyring: Keyring; made: () => number } {
  let made = 0;
  const counting = createTestKeyring(db, {
    wrapBackend: (backend) => ({
      ...backend,
      createKek: async (...asked) => {
        made += 1;
        return await backend.createKek(...asked);
      },
    }),
  });
  return { keyring: counting, made: () => made };
}

describe('the first writers of a project', () => {
  it('twenty of them on two keyrings, end with one KEK', async () => {
    const keyrings = [createTestKeyring(database.open()), createTestKeyring(database.open())];
    const projects = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => await keyrings[index % 2]!.useProject('shared')),
    );
    expect(new Set(projects.map(({ active_epoch }) => active_epoch))).toEqual(new Set([1n]));
    expect(new Set(projects.map(({ seal }) => Buffer.from(seal).toString('hex'))).size).toBe(1);
    expect(await keksOf('shared')).toBe(1);
    for (const each of keyrings) each.close();
  });

  it('of one process, have one KEK made, and no more that a token would keep', async () => {
    const { keyring: counting, made } = countingKeyring(database.open());
    await Promise.all(Array.from({ length: 50 }, async () => await counting.useProject('crowded')));
    expect(made()).toBe(1);
    expect(await keksOf('crowded')).toBe(1);
    counting.close();
  });

  it('have one KEK made when one of them has read the project before it, and gets the answer after', async () => {
    const db = database.open();
    let reads = 0;
    let isMade = false;
    let answerLate = (): void => {};
    const committed = new Promise<void>((resolve) => {
      answerLate = resolve;
    });
    const late: Promise<unknown>[] = [];
    const { keyring: counting, made } = countingKeyring({
      ...db,
      lookup: async <R>(lookup: Lookup<R>, key: string) => {
        const row = await db.lookup(lookup, key);
        if (key !== 'delayed') return row;
        reads += 1;
        if (reads === 1) await committed;
        else if (!isMade && (await keksOf('delayed')) === 1) {
          isMade = true;
          answerLate();
          await Promise.all(late);
        }
        return row;
      },
    });
    await keyring.ensureProject('delayed');
    late.push(counting.useProject('delayed'));
    await expect.poll(() => reads).toBe(1);
    counting.forgetProject('delayed');
    expect((await counting.useProject('delayed')).active_epoch).toBe(1n);
    expect(made()).toBe(1);
    counting.close();
  });

  it('twenty of them for each of ten projects, in two processes, end with one KEK and lose nothing', async () => {
    const outfile = join(folder, 'first-writer.mjs');
    await build({
      entryPoints: [fileURLToPath(new URL('first-writer.ts', import.meta.url))],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile,
      external: ['pg-native'],
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
      logLevel: 'silent',
    });
    const input = JSON.stringify({ connection: database.url, projects: PROJECTS, writers: 10 });
    const servers = [1, 2].map(() => spawn(process.execPath, [outfile, input]));
    const outputs = servers.map((server) => createInterface(server.stdout)[Symbol.asyncIterator]());
    for (const output of outputs) expect((await output.next()).value).toBe('ready');
    for (const server of servers) server.stdin.write('go\n');
    const written: Written[] = [];
    for (const [index, output] of outputs.entries()) {
      const { value } = await output.next();
      expect(value, await errorsOf(servers[index]!)).toBeTypeOf('string');
      written.push(...(JSON.parse(String(value)) as Written[]));
    }
    expect(written.length).toBe(200);
    for (const projectId of PROJECTS) expect(await keksOf(projectId)).toBe(1);
    await Promise.all(written.map(expectReadable));
    expect(await keksOf(SYSTEM_PROJECT)).toBe(1);
  });
});

async function errorsOf(server: ChildProcessWithoutNullStreams): Promise<string> {
  return server.exitCode === null ? '' : String(server.stderr.read() ?? '');
}
