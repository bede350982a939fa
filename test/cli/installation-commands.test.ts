import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivatePostgres, startPrivatePostgres } from '../../src/db/embedded.ts';
import { openDatabase } from '../../src/db/open.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let cwd: string;
let postgres: PrivatePostgres;
let env: Record<string, string>;

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'coffer-cli-'));
  // Open to the user that PostgreSQL runs as when we are root.
  chmodSync(cwd, 0o711);
  postgres = await startPrivatePostgres({ dataDirectory: join(cwd, 'served'), log: () => {} });
  env = { COFFER_DATABASE_URL: await createDatabase('outside') };
});
afterAll(async () => {
  await postgres.stop();
  rmSync(cwd, { recursive: true, force: true });
});

/** A database that no server made: what an operator has. */
async function createDatabase(name: string): Promise<string> {
  const db = openDatabase({ connection: { ...postgres.connection } });
  await db.query({ text: `CREATE DATABASE ${name}` });
  await db.close();
  return postgres.url.replace(`/${postgres.connection.database}?`, `/${name}?`);
}

const run = async (line: string, stdin = '', more: Record<string, string> = {}): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd, stdin, env: { ...env, ...more } });

describe('an installation on a database of the operator', () => {
  it('is refused before it is migrated, and says by which command', async () => {
    const status = await run('migrate status');
    expect(status.code).toBe(78);
    expect(JSON.parse(status.stdout)).toMatchObject({ applied: 0, finished: 0 });
    for (const line of ['bootstrap', 'project create shop']) {
      const { code, stderr } = await run(line);
      expect(code).toBe(78);
      expect(stderr).toContain('Run: coffer migrate');
    }
  });

  it('is migrated once', async () => {
    expect(await run('migrate')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Applied migration 1'),
    });
    const again = await run('migrate --finish');
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(/^The database is at migration \d+\.\n$/);
    const { code, stdout } = await run('migrate status -o json');
    const { applied, finished, latest } = JSON.parse(stdout) as Record<string, number>;
    expect([code, applied, finished]).toEqual([0, latest, latest]);
  });

  it('asks for a keyring, then for its first administrator, and makes neither by surprise', async () => {
    const withoutKeyring = await run('bootstrap');
    expect(withoutKeyring.code).toBe(78);
    expect(withoutKeyring.stderr).toContain('coffer keyring create');
    expect((await run('keyring create')).code).toBe(0);
    const withoutKeys = await run('project create shop');
    expect(withoutKeys.code).toBe(78);
    expect(withoutKeys.stderr).toContain('run: coffer bootstrap');
  });

  it('is bootstrapped once', async () => {
    const { code, stdout } = await run('bootstrap');
    const openrc = join(cwd, 'data', 'admin-openrc');
    expect([code, stdout.includes(`. ${openrc}`)]).toEqual([0, true]);
    expect(statSync(openrc).mode & 0o777).toBe(0o600);
    const before = readFileSync(openrc, 'utf8');
    const password = /OS_PASSWORD=(\S+)/.exec(before)?.[1] ?? '';
    expect(password.length).toBeGreaterThan(30);
    expect(stdout).not.toContain(password);
    expect(await run('bootstrap')).toMatchObject({ code: 6, stdout: '' });
    expect(readFileSync(openrc, 'utf8')).toBe(before);
  });

  it('gets projects, each name once', async () => {
    const { code, stdout } = await run('project create shop');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), name: 'shop' });
    expect((await run('project create SHOP')).code).toBe(6);
    expect((await run('project create \u0007')).code).toBe(2);
    expect((await run('project create')).code).toBe(64);
    expect((await run('project create a b')).code).toBe(64);
  });

  it('gets users with roles in a project, with a password from standard input, never shown', async () => {
    const { code, stdout, stderr } = await run(
      'user create ada --project shop --role creator --role member',
      'canary-word\n',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ name: 'ada', project: 'shop', roles: 'creator,member' });
    expect(stderr).toContain('shorter than 12');
    expect(stdout + stderr).not.toContain('canary-word');
    expect((await run('user create ada --project shop --role member', 'x')).code).toBe(6);
  });

  it.each([
    ['user create eve --project shop --role nosuch', 'x', 3, 'There is no role nosuch'],
    ['user create eve --project nosuch --role member', 'x', 3, 'There is no project nosuch'],
    ['user create eve --project shop', 'x', 64, 'at least one --role'],
    ['user create eve --role member', 'x', 64, 'needs --project'],
    ['user create --project shop --role member', 'x', 64, 'needs a NAME'],
    ['user create eve canary --project shop --role member', 'x', 64, 'never an argument'],
    ['user create eve --password canary --project shop --role member', 'x', 64, '--password is no flag'],
    ['user create eve --project shop --role member', '\n', 64, 'empty'],
    ['user create eve --project shop --role member', 'x'.repeat(4_097), 64, 'bytes at most'],
    ['user create eve --project shop --role member -o nosuch', 'x', 64, '--output is one of'],
  ])('refuses %s, and makes no user', async (line, stdin, expected, message) => {
    const { code, stdout, stderr } = await run(line, stdin);
    expect([code, stdout]).toEqual([expected, '']);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('canary');
  });

  it('has made none of the users that were refused', async () => {
    expect((await run('user create eve --project shop --role member', 'long enough to be quiet')).code).toBe(
      0,
    );
  });

  it('opens with its own keyring alone', async () => {
    await run('keyring create other-keys');
    const { code, stderr } = await run('project create more', '', { COFFER_KEYRING_FILE: 'other-keys' });
    expect(code).toBe(78);
    expect(stderr).toContain('does not open this database');
  });

  it('that was emptied is not taken for a new one', async () => {
    const { code, stderr } = await run('project create more', '', {
      COFFER_DATABASE_URL: await createDatabase('emptied').then(async (url) => {
        await run('migrate', '', { COFFER_DATABASE_URL: url });
        return url;
      }),
    });
    expect(code).toBe(78);
    expect(stderr).toContain('not a new installation');
  });

  it('that does not answer ends a command with 8', async () => {
    const { code } = await run('migrate', '', {
      COFFER_DATABASE_URL: 'postgresql://coffer@127.0.0.1:1/coffer',
    });
    expect(code).toBe(8);
  });
});

describe('an installation on the private PostgreSQL', () => {
  it('is joined by a command while a server has it', async () => {
    const ended = await runCoffer(['migrate', '--data-dir', 'served'], { cwd });
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('Applied migration 1') });
    const db = openDatabase({ connection: { ...postgres.connection } });
    const { rows } = await db.query({ text: 'SELECT number FROM schema_migrations' });
    await db.close();
    expect(rows).not.toEqual([]);
  });

  it('lets an older Coffer on its schema until that is finished', async () => {
    const run = async (line: string): Promise<Ended> =>
      await runCoffer([...line.split(' '), '--data-dir', 'served'], { cwd });
    const db = openDatabase({ connection: { ...postgres.connection } });
    await db.query({
      text: `INSERT INTO schema_migrations (number, name, applied) VALUES (9999, 'n', now())`,
    });
    const line = 'The database is at migration 9999.\n';
    expect(await run('migrate --finish')).toMatchObject({ code: 0, stdout: line });
    expect((await run('migrate status')).code).toBe(0);
    expect((await run('bootstrap')).code).toBe(0);

    await db.query({ text: 'UPDATE schema_migrations SET finished = now() WHERE finished IS NULL' });
    for (const command of ['migrate', 'migrate status', 'bootstrap']) {
      expect([command, (await run(command)).code]).toEqual([command, 78]);
    }
    expect((await run('bootstrap')).stderr).toContain('Install the newer Coffer');
    await db.query({ text: 'DELETE FROM schema_migrations WHERE number = 9999' });
    await db.close();
  });

  it('is not made by a command in a folder that has none', async () => {
    for (const argv of [['migrate'], ['migrate', 'status'], ['bootstrap'], ['project', 'create', 'x']]) {
      const { code, stderr } = await runCoffer([...argv, '--data-dir', 'nothing'], { cwd });
      expect(code).toBe(78);
      expect(stderr).toContain('There is no data in');
    }
    expect(existsSync(join(cwd, 'nothing'))).toBe(false);
  });
});
