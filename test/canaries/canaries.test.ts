import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { joinOrStart } from '../../src/db/embedded.ts';
import { type Db, openDatabase } from '../../src/db/open.ts';
import { logIn, readOpenrc } from '../serve/ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from '../serve/built-coffer.ts';
import type { ServerProcess } from '../serve/server-process.ts';
import { useApplications } from './applications.ts';
import { CanaryValues } from './canary-values.ts';
import { knowKeys } from './open-keys.ts';
import { type Hit, Scanner } from './scanner.ts';
import { giveSharesWrongly, knowShares, openWithShares } from './shares.ts';
import { Visitor } from './visitor.ts';

let built: BuiltCoffer;
let folder: Folder;
let server: ServerProcess;
let temporary: string;
let shares: string[];
let withShares: string[];

beforeAll(async () => {
  built = await buildCoffer();
  folder = await built.emptyFolder();
  temporary = join(folder.path, 'tmp');
  await mkdir(temporary, { mode: 0o755 });
  Object.assign(folder.env, { COFFER_LOG_LEVEL: 'trace', TMPDIR: temporary, COFFER_METRICS: '1' });
  const made = await folder.run(['keyring', 'create', '--split', '2/3', '-o', 'raw']);
  shares = made.stdout.trim().split('\n');
  withShares = ['--shares-from', join(folder.path, 'shares')];
  await writeFile(join(folder.path, 'shares'), made.stdout, { mode: 0o600 });
  await folder.run(['bootstrap', ...withShares]);
  server = folder.serve();
  await server.sealed();
});
afterAll(async () => {
  await built.remove();
});

it('lets no secret input out: not into logs, answers, database, its files and log, or temporary files', async () => {
  const scanner = new Scanner();
  const canaries = new CanaryValues(scanner);
  const said: string[] = [];
  knowShares(canaries, shares);
  const answersToShares = await giveSharesWrongly(folder.url, shares);
  const administrator = readOpenrc(folder.openrc);
  canaries.know('the password of the administrator', administrator.password);
  const { authUrl } = administrator;
  const run = async (args: string[], stdin = '', env: Record<string, string> = {}): Promise<void> => {
    const { code, stdout, stderr } = await folder.run(args, { stdin, env });
    if (code !== 0) throw new Error(`${args.join(' ')}: ${code} ${stderr}`);
    said.push(stdout, stderr);
  };

  await run(['unseal'], shares[2]);
  await server.ready();
  const password = canaries.text('the password of a user');
  await run(['project', 'create', 'shop', ...withShares]);
  await run(['user', 'create', 'ada', '--project', 'shop', '--role', 'creator', ...withShares], password);
  const login = { OS_AUTH_URL: authUrl, OS_USERNAME: 'ada', OS_PASSWORD: password, OS_PROJECT_NAME: 'shop' };
  // A name is no secret: that it is found tells that the places are those where a secret would be.
  const name = 'a-name-that-is-no-secret-and-is-found';
  await run(['secret', 'store', name, '-o', 'json'], canaries.text('a piped payload'), login);
  await run(['secret', 'list', '-o', 'json'], '', login);

  const token = await logIn(authUrl, 'ada', password, 'shop');
  canaries.know('a token', token.slice(token.lastIndexOf('.') + 1));
  const visitor = new Visitor(folder.url, folder.port, token, canaries);
  await visitor.storeAndRead();
  await visitor.createWrongly();
  await visitor.sendMalformed();
  await visitor.misplace();
  await visitor.sendBytes();
  await visitor.logInWrongly('ada');
  const app = ['app', 'create', 'web', '--project', 'shop', '-o', 'raw', ...withShares];
  const { stdout: code } = await folder.run(app);
  const answers = await useApplications(folder.url, token, code.trim(), canaries);
  visitor.answers.push(...answers, ...answersToShares);
  await visitor.order();

  const places = new Map<string, Buffer | string>();
  await withDatabase(async (db) => {
    await knowKeys(canaries, db, await openWithShares(folder.keyring, shares));
    await db.query({ text: 'CHECKPOINT' });
    for (const [table, dump] of await dumpTables(db)) places.set(`table ${table}`, dump);
  });
  for (const [n, answer] of visitor.answers.entries())
    places.set(`answer ${n}: ${answer.slice(0, 60)}`, answer);
  for (const [n, output] of said.entries()) places.set(`output ${n} of a command`, output);
  for (const [name, content] of readFiles(folder.data)) places.set(`running: ${name}`, content);
  for (const name of ['cmdline', 'environ']) {
    places.set(`${name} of the server`, readFileSync(`/proc/${server.pid}/${name}`));
  }
  await server.stop();
  places.set('the keyring', readFileSync(folder.keyring));
  places.set('standard output', server.stdout);
  places.set('standard error', server.stderr);
  for (const root of [folder.data, temporary]) {
    for (const [name, content] of readFiles(root)) places.set(name, content);
  }

  const control = new Scanner();
  control.add('the name', name);
  const foundIn = [...places].filter(([where, content]) => control.scan(where, content).length > 0);
  for (const place of [
    /^table public\.secrets/,
    /^answer /,
    /^output /,
    /^running: .*\/pg_wal\//,
    /\/base\//,
  ]) {
    expect(foundIn.map(([where]) => where)).toContainEqual(expect.stringMatching(place));
  }
  expect(server.stdout.includes('"msg":"decision"')).toBe(true);
  const hits = new Set<string>();
  for (const [where, content] of places) {
    for (const { label, encoding } of found(scanner, where, content))
      hits.add(`${label} as ${encoding} in ${where}`);
  }
  const bytes = [...places.values()].reduce((sum, content) => sum + content.length, 0);
  console.info(
    `${canaries.count} canaries, ${places.size} places, ${(bytes / 1e6).toFixed(0)} MB, ${visitor.answers.length} answers, ${hits.size} hits`,
  );
  expect([...hits]).toEqual([]);
}, 180_000);

/** `admin-openrc` is where the administrator's password belongs, and no other secret. */
function found(scanner: Scanner, where: string, content: Buffer | string): Hit[] {
  const hits = scanner.scan(where, content);
  if (!where.endsWith(folder.openrc)) return hits;
  return hits.filter(({ label }) => label !== 'the password of the administrator');
}

async function withDatabase(use: (db: Db) => Promise<void>): Promise<void> {
  const postgres = await joinOrStart({ dataDirectory: folder.data, log: () => {} });
  const db = openDatabase({ connection: { ...postgres.connection } });
  await use(db);
  await db.close();
  await postgres.stop();
}

/** Each row of each table as text, and what PostgreSQL keeps of statements and sessions. */
async function dumpTables(db: Db): Promise<[string, string][]> {
  const { rows: tables } = await db.query<{ name: string }>({
    text: `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name
      FROM information_schema.tables
      WHERE table_schema = 'public' OR table_name IN ('pg_stat_activity', 'pg_prepared_statements', 'pg_statistic', 'pg_stats')`,
  });
  expect(tables.map(({ name }) => name)).toContain('public.secrets');
  return await Promise.all(
    tables.map(async ({ name }): Promise<[string, string]> => {
      const { rows } = await db.query<{ row: string }>({ text: `SELECT t::text AS row FROM ${name} t` });
      return [name, rows.map(({ row }) => row).join('\n')];
    }),
  );
}

function readFiles(root: string): [string, Buffer][] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((path): [string, Buffer][] => {
      const content = readUnlessGone(path);
      return content === undefined ? [] : [[path, content]];
    });
}

/** PostgreSQL removes and renames files while it runs. */
function readUnlessGone(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
