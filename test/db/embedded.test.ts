import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { joinOrStart, type PrivatePostgres, startPrivatePostgres } from '../../src/db/embedded.ts';
import { LOG_BYTES_MAX, limitLog } from '../../src/db/embedded-postmaster.ts';
import { supervise } from '../../src/db/embedded-supervisor.ts';
import {
  ask,
  isRoot,
  makeFolder,
  openPostgresStage,
  type PostgresStage,
  processesIn,
  quiet,
  removeFolder,
} from './embedded-stage.ts';

let stage: PostgresStage;
let data: string;
let start: PostgresStage['start'];

beforeEach(() => {
  stage = openPostgresStage();
  ({ data, start } = stage);
});
afterEach(async () => await stage.clear());

describe('a private PostgreSQL', () => {
  it('starts in an empty folder, and keeps its rows when it is started again', async () => {
    const first = await start();
    await ask(first, 'CREATE TABLE kept (word text)');
    await ask(first, "INSERT INTO kept VALUES ('still here')");
    await first.stop();
    expect(await first.exited).toBeNull();
    const second = await start();
    expect(second.takenOver).toBe(false);
    expect(await ask(second, 'SELECT word FROM kept')).toEqual([{ word: 'still here' }]);
  });

  it('leaves no process, socket or lock when it is stopped', async () => {
    const postgres = await start();
    expect(processesIn(data).length).toBeGreaterThan(1);
    await Promise.all([postgres.stop(), postgres.stop()]);
    expect(processesIn(data)).toEqual([]);
    expect(readdirSync(data).sort()).toEqual(['postgres', 'postgres.log']);
  });

  it('writes no value of a failed statement to its log', async () => {
    const postgres = await start();
    await ask(postgres, 'CREATE TABLE guarded (word text UNIQUE, number int CHECK (number > 0))');
    await ask(postgres, "INSERT INTO guarded VALUES ('canary-55d1', 1)");
    for (const text of [
      "INSERT INTO guarded VALUES ('canary-55d1', 1)",
      "INSERT INTO guarded VALUES ('canary-55d1-b', -1)",
      "SELECT 'canary-55d1'::int",
      "SELECT canary_55d1('canary-55d1')",
      "DO $$ BEGIN RAISE WARNING 'canary-55d1'; RAISE EXCEPTION 'canary-55d1'; END $$",
    ]) {
      await ask(postgres, text).catch(quiet);
    }
    await postgres.stop();
    const log = readFileSync(join(data, 'postgres.log'), 'utf8');
    expect(log).toContain('ready to accept connections');
    expect(log).not.toMatch(/canary|guarded/);
  });

  it('bounds its log, and goes on writing to it', async () => {
    const postgres = await start();
    const log = join(data, 'postgres.log');
    appendFileSync(log, 'x'.repeat(LOG_BYTES_MAX));
    limitLog(log, quiet);
    expect(statSync(log).size).toBe(0);
    expect(statSync(`${log}.1`).size).toBeGreaterThan(LOG_BYTES_MAX);
    await postgres.stop();
    expect(readFileSync(log, 'utf8')).toMatch(/^\d{4}-.*shut down/s);
  });
});

describe('a log that cannot be cut', () => {
  it('holds no start up', async () => {
    await (await start()).stop();
    const log = join(data, 'postgres.log');
    appendFileSync(log, 'x'.repeat(LOG_BYTES_MAX));
    mkdirSync(`${log}.1`);
    const lines: string[] = [];
    expect(await ask(await start(data, lines), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(lines).toContainEqual(expect.stringContaining('The log of PostgreSQL cannot be cut: '));
  });

  it('ends nothing while PostgreSQL runs', async () => {
    const log = join(stage.folder, 'postgres.log');
    appendFileSync(log, 'x'.repeat(LOG_BYTES_MAX + 1));
    mkdirSync(`${log}.1`);
    const child = spawn('sleep', ['600']);
    const ended = once(child, 'exit').then(() => null);
    const lines: string[] = [];
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const never = async (): Promise<never> => await new Promise<never>(() => {});
    const supervised = supervise({ pid: child.pid!, ended }, never, log, (line) => lines.push(line));
    vi.advanceTimersByTime(60_000);
    vi.useRealTimers();
    await supervised.stop();
    expect(lines).toEqual([expect.stringContaining('The log of PostgreSQL cannot be cut: ')]);
  });
});

describe('a start that is given up', () => {
  it('ends a PostgreSQL that is not ready yet, and leaves the data to the next one', async () => {
    await (await start()).stop();
    const [standby, settings] = ['standby.signal', 'postgresql.auto.conf'].map((name) =>
      join(data, 'postgres', name),
    ) as [string, string];
    // It recovers, lets nobody in, and does not end.
    const before = readFileSync(settings, 'utf8');
    writeFileSync(standby, '');
    appendFileSync(settings, 'hot_standby = off\n');
    const given = new AbortController();
    const starting = startPrivatePostgres({ dataDirectory: data, log: quiet, signal: given.signal });
    const log = join(data, 'postgres.log');
    await expect.poll(() => readFileSync(log, 'utf8')).toContain('entering standby mode');
    expect(processesIn(data)).not.toEqual([]);
    given.abort(new Error('given up'));
    await expect(starting).rejects.toThrow('given up');
    expect(processesIn(data)).toEqual([]);
    expect(readdirSync(data).sort()).toEqual(['postgres', 'postgres.log']);
    rmSync(standby);
    writeFileSync(settings, before);
    expect(await ask(await start(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('waits no longer for a command that has the data', async () => {
    const command = await joinOrStart({ dataDirectory: data, log: quiet });
    const given = new AbortController();
    const starting = startPrivatePostgres({ dataDirectory: data, log: quiet, signal: given.signal });
    given.abort(new Error('given up'));
    await expect(starting).rejects.toThrow('given up');
    expect(await ask(command, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await command.stop();
  });
});

describe('a private PostgreSQL that runs', () => {
  let place: string;
  let shared: string;
  let running: PrivatePostgres;
  beforeAll(async () => {
    place = makeFolder();
    shared = join(place, 'data');
    running = await startPrivatePostgres({ dataDirectory: shared, log: quiet });
  });
  afterAll(async () => {
    await running.stop();
    removeFolder(place);
  });

  it('refuses a second server on the same data, and names the first', async () => {
    await expect(start(shared)).rejects.toMatchObject({
      code: 'configuration',
      message: `A Coffer server already runs on ${shared}: pid ${process.pid}`,
    });
  });

  it('has a plain URL that names its socket', async () => {
    const { url, connection } = running;
    const parsed = new URL(url);
    expect([parsed.pathname, parsed.searchParams.get('host')]).toEqual(['/coffer', connection.host]);
  });

  it('has settings that keep what was acknowledged, and log no statement', async () => {
    const rows = await ask(running, 'SELECT name, setting FROM pg_settings');
    const settings = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
    expect(settings).toMatchObject({
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      data_checksums: 'on',
      listen_addresses: '',
      max_connections: '60',
      server_encoding: 'UTF8',
      log_statement: 'none',
      log_min_error_statement: 'panic',
      log_parameter_max_length: '0',
      log_parameter_max_length_on_error: '0',
      log_error_verbosity: 'terse',
      jit: 'off',
      random_page_cost: '1.1',
      TimeZone: 'UTC',
    });
  });

  it('sorts by code points, whatever the locale of the machine', async () => {
    const rows = await ask(running, "SELECT w FROM unnest(ARRAY['b','ä','a','B','_']) w ORDER BY w");
    expect(rows.map(({ w }) => w)).toEqual(['B', '_', 'a', 'b', 'ä']);
  });

  it('listens on no port', async () => {
    const { pid } = running;
    const own = readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`));
    const inodes = new Set(own.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]).filter(Boolean));
    expect(inodes.size).toBeGreaterThan(0);
    for (const family of ['tcp', 'tcp6', 'udp', 'udp6']) {
      const lines = readFileSync(`/proc/${pid}/net/${family}`, 'utf8').trim().split('\n').slice(1);
      expect(lines.filter((line) => inodes.has(line.trim().split(/\s+/)[9]))).toEqual([]);
    }
  });

  it('writes no core file, and is in a group of its own that Ctrl-C does not reach', async () => {
    const { pid } = running;
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max core file size\s+0\s+0/);
    const group = (id: number): string | undefined =>
      /\) \S (?:\d+) (\d+)/.exec(readFileSync(`/proc/${id}/stat`, 'utf8'))?.[1];
    expect(group(pid)).toBe(String(pid));
    expect(group(process.pid)).not.toBe(String(pid));
  });

  it('keeps its files from everyone else', async () => {
    const { connection } = running;
    for (const path of [connection.host, join(shared, 'postgres')])
      expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(statSync(join(shared, 'postgres.log')).mode & 0o777).toBe(0o600);
    expect(statSync(join(connection.host, '.s.PGSQL.5432')).mode & 0o777).toBe(0o700);
    expect(statSync(shared).mode & 0o066).toBe(0);
  });

  it('admits root and whoever started it, and nobody else', async () => {
    const { connection } = running;
    const access = readFileSync(join(shared, 'postgres', 'pg_hba.conf'), 'utf8').match(/^[^#\n].*$/gm);
    expect(access).toEqual(['local all all peer map=owner', 'local replication all peer map=owner']);
    const others = isRoot ? [statSync(join(shared, 'postgres')).uid, 65_534] : [];
    const program = `require('net').connect('${connection.host}/.s.PGSQL.5432').on('connect', () => process.exit(0)).on('error', () => process.exit(9))`;
    const reached = others.map(
      (uid) => spawnSync(process.execPath, ['-e', program], { uid, gid: uid, cwd: '/' }).status,
    );
    // The account that PostgreSQL runs as reaches its socket, and is refused there by name.
    if (isRoot) expect(reached.at(-1)).toBe(others[0] === 65_534 ? 0 : 9);
    const names = readFileSync(join(shared, 'postgres', 'pg_ident.conf'), 'utf8').match(/^owner .*$/gm) ?? [];
    expect(names.length).toBe(isRoot ? 1 : 2);
    expect(names[0]).toBe('owner "root" coffer');
  });

  it('is joined by a command, which leaves it alone', async () => {
    const command = await joinOrStart({ dataDirectory: shared, log: quiet });
    expect([command.joined, command.pid]).toEqual([true, running.pid]);
    expect(await ask(command, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await command.stop();
    expect(await ask(running, 'SELECT 2 AS two')).toEqual([{ two: 2 }]);
  });
});

describe('a command without a server', () => {
  it('starts PostgreSQL for itself, one command after another', async () => {
    const run = async (): Promise<boolean> => {
      const command = await joinOrStart({ dataDirectory: data, log: quiet });
      await ask(command, 'SELECT 1');
      await command.stop();
      return command.joined;
    };
    expect(await Promise.all([run(), run(), run()])).toEqual([false, false, false]);
    expect(processesIn(data)).toEqual([]);
  });
});
