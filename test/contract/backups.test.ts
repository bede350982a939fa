import { copyFile } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCoffer } from '../cli/run-coffer.ts';
import { copyDatabase, type TestDatabase } from '../harness/database.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type Client, rawClient } from './raw-http.ts';

// What a backup that was made before still opens with the keyring of now, and what an old row does that is
// put back. The backup is a copy of the database's files, restored beside it.

let live: StartedCoffer;
let backup: TestDatabase;
let people: Record<'deleting' | 'rotating' | 'shredding' | 'bystanding', Person>;
let paths: Record<keyof typeof people, string>;
const others: StartedCoffer[] = [];

beforeAll(async () => {
  live = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  const make = async (project: string): Promise<[Person, string]> => {
    const person = await live.person(['creator', 'admin'], project);
    const body = { payload: `of ${project}`, payload_content_type: 'text/plain' };
    const stored = await person.client.post('/v1/secrets', body);
    return [person, new URL(stored.json.secret_ref).pathname];
  };
  const made = {
    deleting: await make('deleting'),
    rotating: await make('rotating'),
    shredding: await make('shredding'),
    bystanding: await make('bystanding'),
  };
  const pick = <T>(at: (pair: [Person, string]) => T) =>
    Object.fromEntries(Object.entries(made).map(([name, pair]) => [name, at(pair)])) as Record<
      keyof typeof made,
      T
    >;
  people = pick(([person]) => person);
  paths = pick(([, path]) => path);
  backup = await copyDatabase(live.database);
});

afterAll(async () => {
  for (const other of others) await other.stop();
  await live.stop();
  await backup.drop();
});

type Name = keyof typeof people;

async function read(server: StartedCoffer, name: Name): Promise<string | number> {
  const client: Client = rawClient(server.url, people[name].token);
  const { status, text } = await client.get(`${paths[name]}/payload`);
  return status === 200 ? text : status;
}

/** A server on the backup, with the settings of now. */
async function restore(env: Record<string, string> = {}): Promise<StartedCoffer> {
  const settings = { COFFER_WORKER: 'off', COFFER_DATABASE_URL: backup.url, ...env };
  const restored = await startCoffer({ beside: live, env: settings });
  others.push(restored);
  return restored;
}

async function command(line: string): Promise<void> {
  const { code, stderr } = await runCoffer(line.split(' '), { cwd: '/tmp', stdin: '', env: live.env });
  expect([code, stderr]).toEqual([0, stderr]);
}

async function ask(url: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

const of = (table: string): string => `${table} WHERE id = $1`;

async function insert(table: string, row: Record<string, unknown>): Promise<void> {
  const names = Object.keys(row);
  const places = names.map((_, index) => `$${index + 1}`).join(', ');
  const text = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${places})`;
  await ask(live.database.url, text, Object.values(row));
}

/**
 * Puts the row of the backup in the place of the one that is there now, as whoever writes the database can.
 * Gives what takes it out again.
 */
async function putBack(table: string, column: string, value: string): Promise<() => Promise<void>> {
  const [old, ...more] = await ask(backup.url, `SELECT * FROM ${table} WHERE ${column} = $1`, [value]);
  if (old === undefined || more.length > 0) throw new Error('the backup has other rows');
  const id = [old['id']];
  const present = await ask(live.database.url, `DELETE FROM ${of(table)} RETURNING *`, id);
  await insert(table, old);
  return async () => {
    await ask(live.database.url, `DELETE FROM ${of(table)}`, id);
    for (const row of present) await insert(table, row);
  };
}

const idOf = (name: Name): string => paths[name].slice(-36);

describe('a backup', () => {
  it('has the secrets that were deleted since', async () => {
    expect((await people.deleting.client.delete(paths.deleting)).status).toBe(204);
    expect(await read(live, 'deleting')).toBe(404);
    expect(await read(await restore(), 'deleting')).toBe('of deleting');
  });

  it('opens after the rotation of KEKs: it has the old KEK, under the same master key', async () => {
    await command('kek rotate --project rotating --rest 0');
    expect(await read(live, 'rotating')).toBe('of rotating');
    expect(await read(await restore(), 'rotating')).toBe('of rotating');
  });

  it('opens after its project was shredded, as long as its master key is there', async () => {
    await command('project shred shredding --yes');
    await expect.poll(async () => await read(live, 'shredding'), { timeout: 5_000 }).toBe(401);
    expect(await read(await restore(), 'shredding')).toBe('of shredding');
  });
});

describe('a row of a backup that is put back', () => {
  const undo: (() => Promise<void>)[] = [];
  const fresh = async (): Promise<StartedCoffer> => {
    const server = await startCoffer({ beside: live, env: { COFFER_WORKER: 'off' } });
    others.push(server);
    return server;
  };

  it('of an epoch that ended is refused, with its KEK and without', async () => {
    undo.push(await putBack('secrets', 'id', idOf('rotating')));
    // As long as a server may remember the project as it was before the rotation.
    await expect.poll(async () => await read(live, 'rotating'), { timeout: 6_000 }).toBe(500);
    undo.push(await putBack('keks', 'project_id', people.rotating.projectId));
    expect(await read(live, 'rotating')).toBe(500);
    expect(await read(await fresh(), 'rotating')).toBe(500);
  });

  it('is refused with the row of its project too, by a server that has seen a newer one', async () => {
    undo.push(await putBack('projects', 'id', people.rotating.projectId));
    live.installation.keyring.forgetProject();
    expect(await read(live, 'rotating')).toBe(500);
  });

  it('opens on a server that has seen no newer one, until the KEK of the system is rotated', async () => {
    expect(await read(await fresh(), 'rotating')).toBe('of rotating');
    for (const back of undo.splice(0).toReversed()) await back();
    await command('kek rotate --all --rest 0');
    expect(await read(await fresh(), 'rotating')).toBe('of rotating');
    const back = await putBack('projects', 'id', people.rotating.projectId);
    // The project's row is of an epoch of the system that ended.
    expect(await read(await fresh(), 'rotating')).toBe(500);
    await back();
    expect(await read(await fresh(), 'rotating')).toBe('of rotating');
  });

  it('of a project that was shredded opens nothing where somebody saw it go', async () => {
    for (const [table, column, value] of [
      ['secrets', 'id', idOf('shredding')],
      ['keks', 'project_id', people.shredding.projectId],
      ['projects', 'id', people.shredding.projectId],
    ] as const) {
      undo.push(await putBack(table, column, value));
    }
    live.installation.keyring.forgetProject();
    const lent = live.installation.keyring.withRowsKey(people.shredding.projectId, 1n, () => 'lent');
    await expect(lent).rejects.toMatchObject({ code: 'integrity_violation' });
    for (const back of undo.splice(0).toReversed()) await back();
  });
});

describe('once its master key is retired, a backup', () => {
  it('opens with the keyring of that time alone, and nobody is served without', async () => {
    const old = `${live.env['COFFER_KEYRING_FILE']}.old`;
    await copyFile(live.env['COFFER_KEYRING_FILE'] ?? '', old);
    await command('master-key add mk-new');
    await command('master-key rotate --to mk-new');
    expect(await read(await restore(), 'shredding')).toBe('of shredding');
    await command('master-key retire mk-test --yes');
    await expect(restore()).rejects.toMatchObject({ code: 'configuration' });
    const withOld = await restore({ COFFER_KEYRING_FILE: old });
    for (const name of ['deleting', 'rotating', 'shredding', 'bystanding'] as const) {
      expect(await read(withOld, name)).toBe(`of ${name}`);
    }
    const again = await startCoffer({ beside: live, env: { COFFER_WORKER: 'off' } });
    others.push(again);
    expect(await read(again, 'bystanding')).toBe('of bystanding');
  });
});
