import {
  appendFileSync,
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseAccount, identityFor } from '../../src/db/embedded-account.ts';
import { findPackage, prepareBinaries } from '../../src/db/embedded-binaries.ts';
import { environmentFor } from '../../src/db/embedded-cluster.ts';
import { ask, isRoot, openPostgresStage, type PostgresStage, quiet, removeFolder } from './embedded-stage.ts';

let stage: PostgresStage;
let folder: string;
let data: string;
let start: PostgresStage['start'];

beforeEach(() => {
  stage = openPostgresStage();
  ({ folder, data, start } = stage);
});
afterEach(async () => await stage.clear());

describe('the place of the database', () => {
  it('has its socket in a closed temporary folder when its own path is too long for one', async () => {
    const long = join(folder, 'x'.repeat(100), 'data');
    const postgres = await start(long);
    const { host } = postgres.connection;
    expect(host.length).toBeLessThan(90);
    expect(readlinkSync(join(long, 'run'))).toBe(host);
    expect(lstatSync(host).mode & 0o777).toBe(0o700);
    expect(await ask(postgres, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await postgres.stop();
    expect(() => lstatSync(host)).toThrow('ENOENT');
    expect(readdirSync(long)).not.toContain('run');
  });

  it('is a folder of root that PostgreSQL may enter when the data is under one that it may not', async () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const inside = join(closed, 'data');
    const lines: string[] = [];
    const first = await start(inside, lines);
    await ask(first, 'CREATE TABLE kept (word text)');
    await first.stop();
    const home = realpathSync(join(inside, 'postgres')).replace(/\/postgres$/, '');
    expect(home).toMatch(isRoot ? /^\/var\/lib\/coffer\/[0-9a-f]{16}(-\d+)?$/ : inside);
    expect(lines.join('\n')).toContain(isRoot ? home : '');
    const second = await start(inside, lines);
    expect(await ask(second, 'SELECT * FROM kept')).toEqual([]);
    expect(lstatSync(join(inside, 'coffer.pid')).isSymbolicLink()).toBe(isRoot);
    await second.stop();
    // A new folder of the same path begins with an empty database.
    removeFolder(inside);
    const third = await start(inside);
    await expect(ask(third, 'SELECT * FROM kept')).rejects.toThrow();
    await third.stop();
    if (isRoot)
      for (const path of [home, realpathSync(join(inside, 'postgres')).replace(/\/postgres$/, '')])
        removeFolder(path);
  });

  it('is the data folder itself when only that was closed', async () => {
    mkdirSync(data, { mode: 0o700 });
    chmodSync(data, 0o700);
    const { connection } = await start();
    expect(connection.host).toBe(join(realpathSync(data), 'run'));
    expect(statSync(data).mode & 0o066).toBe(0);
  });

  it('is refused when it holds files that are no database, or a database of another PostgreSQL', async () => {
    mkdirSync(join(data, 'postgres'), { recursive: true });
    chmodSync(data, 0o711);
    appendFileSync(join(data, 'postgres', 'letter.txt'), 'x');
    await expect(start()).rejects.toThrow(/holds files, and they are no PostgreSQL database/);
    appendFileSync(join(data, 'postgres', 'PG_VERSION'), '14\n');
    await expect(start()).rejects.toThrow(/was made by PostgreSQL 14, and this Coffer brings PostgreSQL \d+/);
    expect(readdirSync(data)).toEqual(['postgres']);
  });
});

describe('the programs of PostgreSQL', () => {
  const account = chooseAccount(undefined);
  const versionSaid = (native: string, version: string): string => {
    const binaries = prepareBinaries(folder, account, quiet, { native, version });
    const how = {
      ...identityFor(account),
      env: environmentFor(binaries),
      cwd: '/',
      encoding: 'utf8',
    } as const;
    return spawnSync(binaries.postgres, ['--version'], how).stdout;
  };
  const copyWithoutLinks = (): string => {
    const native = join(folder, 'package', 'native');
    cpSync(findPackage().native, native, { recursive: true, verbatimSymlinks: true });
    chmodSync(join(folder, 'package'), 0o755);
    for (const name of readdirSync(join(native, 'lib'))) {
      if (lstatSync(join(native, 'lib', name)).isSymbolicLink()) rmSync(join(native, 'lib', name));
    }
    return native;
  };

  it('run without the links that the installation makes, and leave their package as it is', () => {
    const native = copyWithoutLinks();
    const before = readdirSync(join(native, 'lib'));
    expect(versionSaid(native, 'test')).toMatch(/^postgres \(PostgreSQL\) \d+/);
    expect(readdirSync(join(folder, 'lib'))).toContain('libicuuc.so.60');
    expect(readdirSync(join(native, 'lib'))).toEqual(before);
  });

  it('run when their package is closed to the user they run as', () => {
    const native = copyWithoutLinks();
    chmodSync(join(folder, 'package'), 0o700);
    const version = `test-${process.pid}`;
    expect(versionSaid(native, version)).toMatch(/^postgres \(PostgreSQL\) \d+/);
    const copy = `/var/lib/coffer/postgresql-${version}-${process.arch}`;
    if (isRoot) expect(statSync(copy).mode & 0o022).toBe(0);
    expect(versionSaid(native, version)).toMatch(/^postgres/);
    removeFolder(copy);
  });
});
