import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let coffer: StartedCoffer;
let cwd: string;
let person: Person;

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'coffer-stores-'));
  const file = (name: string): string => `software:${join(cwd, name)}`;
  const stores = `main=${file('keys')},second=${file('keys2')}`;
  coffer = await startCoffer({ env: { COFFER_STORES: stores, COFFER_QUOTA_ORDERS: '50' } });
  person = await coffer.person(['admin', 'key-manager:service-admin']);
});
afterAll(async () => {
  await coffer.stop();
  rmSync(cwd, { recursive: true });
});

async function run(line: string, who = person): Promise<Ended> {
  const env = { COFFER_URL: coffer.url, OS_TOKEN: who.token };
  return await runCoffer(line.split(' '), { cwd, env });
}

async function shown(line: string, who = person): Promise<unknown> {
  const { code, stdout, stderr } = await run(line, who);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

describe('coffer quota', () => {
  it('shows the limits that hold, and sets, lists and takes away those of a project', async () => {
    const none = { secrets: -1, orders: 50, containers: -1, consumers: -1 };
    expect(await shown('quota show -o json')).toEqual(none);
    const { projectId } = person;
    const own = { id: projectId, secrets: 5, orders: null, containers: 0, consumers: null };
    expect(await shown(`quota set ${projectId} secrets=5 containers=0 -o json`)).toEqual(own);
    expect(await shown('quota show -o json')).toEqual({ ...none, secrets: 5, containers: 0 });
    expect(await shown(`quota show ${projectId} -o json`)).toEqual(own);
    expect(await shown('quota show --all -o json')).toEqual([own]);
    expect((await run('quota show --all -o raw')).stdout).toBe(`${projectId}\n`);
    expect(await shown(`quota set ${projectId} secrets=-1 -o json`)).toEqual({ ...own, secrets: -1 });
    expect((await run(`quota unset ${projectId}`)).code).toBe(0);
    expect((await run(`quota unset ${projectId}`)).code).toBe(3);
    expect((await run(`quota show ${projectId}`)).code).toBe(3);
    expect(await shown('quota show -o json')).toEqual(none);
  });

  it('ends with 5 for who may not, and with 64 for what cannot be meant', async () => {
    const creator = await coffer.person(['creator']);
    expect((await run('quota set somebody secrets=1', creator)).code).toBe(5);
    for (const line of [
      'quota set',
      'quota set p',
      'quota set p secrets',
      'quota set p payloads=1',
      'quota set p secrets=many',
      'quota show a b',
      'quota show a --all',
      'quota show -o raw',
      'quota unset',
    ]) {
      expect([line, (await run(line)).code]).toEqual([line, 64]);
    }
  });
});

describe('coffer store', () => {
  it('lists the stores, and says which is the default', async () => {
    const stores = (await shown('store list -o json')) as Record<string, string>[];
    expect(stores).toEqual([
      { id: expect.any(String), name: 'main', default: 'yes', plugin: 'simple_crypto' },
      { id: expect.any(String), name: 'second', default: 'no', plugin: 'simple_crypto' },
    ]);
    expect(await shown('store default -o json')).toEqual(stores[0]);
    const { stdout } = await run('store list -o table');
    expect(stdout).toMatch(/^ID +NAME +DEFAULT +PLUGIN\n/);
  });

  it('has new secrets go to a store, by name or by id, and to the default again', async () => {
    const who = await coffer.person(['admin'], 'choosy');
    expect((await run('store preferred', who)).code).toBe(3);
    expect((await run('store unprefer', who)).code).toBe(3);
    expect((await run('store prefer second', who)).code).toBe(0);
    const preferred = (await shown('store preferred -o json', who)) as { id: string; name: string };
    expect(preferred.name).toBe('second');
    await who.client.post('/v1/secrets', {});
    const text = 'SELECT store FROM keks WHERE project_id = $1';
    const { rows } = await coffer.installation.db.query({ text, values: [who.projectId] });
    expect(rows).toEqual([{ store: 'second' }]);
    expect((await run('store unprefer', who)).code).toBe(0);
    expect((await run(`store prefer ${preferred.id}`, who)).code).toBe(0);
    expect((await run('store prefer third', who)).code).toBe(3);
  });

  it('ends with 64 for what cannot be meant', async () => {
    for (const line of ['store list x', 'store prefer', 'store prefer a b', 'store preferred x']) {
      expect([line, (await run(line)).code]).toEqual([line, 64]);
    }
  });

  it('says that there is no choice where the server has one store', async () => {
    const single = await startCoffer();
    const { token } = await single.person(['admin']);
    const ended = await runCoffer(['store', 'list'], {
      cwd,
      env: { COFFER_URL: single.url, OS_TOKEN: token },
    });
    expect([ended.code, ended.stderr]).toEqual([3, expect.stringContaining('Multiple backends support')]);
    await single.stop();
  });
});
