import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Coffer,
  type Credentials,
  findContainerId,
  findSecretId,
  type Shared,
} from '../../src/client/index.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { startScriptedServer } from './scripted-server.ts';

const unknownId = '3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071';
let server: StartedCoffer;
let coffer: Coffer;
let stranger: Coffer;
let strangerId: string;
beforeAll(async () => {
  server = await startCoffer();
  coffer = new Coffer({ credentials: credentialsOf(await server.person(['creator']), 'demo') });
  const other = await server.person(['creator'], 'elsewhere');
  stranger = new Coffer({ credentials: credentialsOf(other, 'elsewhere') });
  strangerId = other.userId;
});
afterAll(async () => await server.stop());

function credentialsOf({ name, password }: Person, projectName: string): Credentials {
  return { type: 'password', url: server.url, userName: name, password, projectName };
}
const store = async (): Promise<string> => (await coffer.secrets.create({ payload: 'x' })).id;

describe('containers', () => {
  it('come back as they were made, by id and by reference', async () => {
    const [certificate, key] = [await store(), await store()];
    const secrets = { certificate, private_key: key };
    const { id, ref } = await coffer.containers.create({ name: 'site', type: 'certificate', secrets });
    expect(ref.endsWith(`/v1/containers/${id}`)).toBe(true);
    for (const name of [id, ref, `https://elsewhere.example/v1/containers/${id}/`]) {
      expect(await coffer.containers.get(name)).toMatchObject({
        id,
        ref,
        name: 'site',
        type: 'certificate',
        status: 'ACTIVE',
        slots: [
          { name: 'certificate', secretId: certificate },
          { name: 'private_key', secretId: key },
        ],
        consumers: [],
      });
    }
    const { created } = await coffer.containers.get(id);
    expect(created.getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect((await coffer.containers.get((await coffer.containers.create()).id)).type).toBe('generic');
  });

  it('take secrets in and give them out, each under a name or under none', async () => {
    const [one, two] = [await store(), await store()];
    const { id } = await coffer.containers.create({ secrets: { one } });
    await coffer.containers.addSecret(id, two, 'two');
    await coffer.containers.addSecret(id, two);
    const slots = async () => (await coffer.containers.get(id)).slots;
    expect(await slots()).toEqual([
      { name: 'one', secretId: one },
      { name: 'two', secretId: two },
      { name: null, secretId: two },
    ]);
    await expect(coffer.containers.addSecret(id, two, 'two')).rejects.toMatchObject({ code: 'conflict' });
    await coffer.containers.removeSecret(id, two, 'two');
    await coffer.containers.removeSecret(id, two);
    await expect(coffer.containers.removeSecret(id, two)).rejects.toMatchObject({ code: 'not_found' });
    expect(await slots()).toEqual([{ name: 'one', secretId: one }]);
  });

  it('are listed page by page, with the filters of the server', async () => {
    for (let at = 0; at < 7; at += 1) await coffer.containers.create({ name: `listed ${at}`, type: 'rsa' });
    const names: (string | null)[] = [];
    for await (const { name } of coffer.containers.list({ name: 'listed %', type: 'rsa', pageSize: 3 })) {
      names.push(name);
    }
    expect(names).toEqual(Array.from({ length: 7 }, (_, at) => `listed ${at}`));
    const page = await coffer.containers.page({ name: 'listed %' }, 6);
    expect([page.containers.length, page.total, page.nextOffset]).toEqual([1, 7, undefined]);
  });

  it('are deleted, and then known no more', async () => {
    const { id } = await coffer.containers.create();
    await coffer.containers.delete(id);
    for (const method of ['get', 'delete'] as const) {
      await expect(coffer.containers[method](id)).rejects.toMatchObject({ code: 'not_found', status: 404 });
    }
  });

  it('are refused as the server refuses them, and what is no id here', async () => {
    const wrong = coffer.containers.create({ type: 'rsa', secrets: { other: unknownId } });
    await expect(wrong).rejects.toMatchObject({ code: 'bad_request', status: 400 });
    const missing = coffer.containers.create({ secrets: { x: unknownId } });
    await expect(missing).rejects.toMatchObject({ code: 'not_found', status: 404 });
    for (const text of ['x', '', unknownId.toUpperCase(), `https://host/v1/secrets/${unknownId}`]) {
      await expect(coffer.containers.get(text)).rejects.toMatchObject({
        code: 'bad_request',
        message: 'expected an id (a UUID) or a reference of containers',
      });
    }
  });
});

it('tells references of secrets and containers apart', () => {
  const of = (collection: string) => `https://host/v1/${collection}/${unknownId}`;
  expect([findSecretId(of('secrets')), findSecretId(of('containers'))]).toEqual([unknownId, undefined]);
  expect([findContainerId(of('containers')), findContainerId(of('secrets'))]).toEqual([unknownId, undefined]);
  expect([findSecretId(unknownId), findContainerId(unknownId)]).toEqual([unknownId, unknownId]);
});

describe.each([
  ['a secret', async () => ({ secret: (await coffer.secrets.create({})).id })],
  ['a container', async () => ({ container: (await coffer.containers.create()).id })],
] as const)('the ACL of %s', (_, make) => {
  const readBy = async (reader: Coffer, shared: Shared): Promise<string> => {
    if ('secret' in shared) return (await reader.secrets.get(shared.secret)).id;
    return (await reader.containers.get(shared.container)).id;
  };

  it('is open to the project at first, and lets a user of another project read', async () => {
    const shared = await make();
    const nothing = { projectAccess: true, users: [], created: null, updated: null };
    expect(await coffer.acls.get(shared)).toEqual(nothing);
    await expect(readBy(stranger, shared)).rejects.toMatchObject({ code: 'forbidden' });
    await coffer.acls.replace(shared, { projectAccess: false, users: [strangerId] });
    expect(Object.values(shared)).toContain(await readBy(stranger, shared));
    const acl = await coffer.acls.get(shared);
    expect(acl).toMatchObject({ projectAccess: false, users: [strangerId], created: expect.any(Date) });
  });

  it('changes by parts, and goes', async () => {
    const shared = await make();
    await coffer.acls.change(shared, { users: ['a', 'b'] });
    expect(await coffer.acls.get(shared)).toMatchObject({ projectAccess: true, users: ['a', 'b'] });
    await coffer.acls.change(shared, { projectAccess: false });
    expect(await coffer.acls.get(shared)).toMatchObject({ projectAccess: false, users: ['a', 'b'] });
    await coffer.acls.change(shared, { users: [] });
    expect(await coffer.acls.get(shared)).toMatchObject({ projectAccess: false, users: [] });
    await coffer.acls.delete(shared);
    expect(await coffer.acls.get(shared)).toMatchObject({ projectAccess: true, created: null });
  });
});

describe('consumers', () => {
  it('of a secret are said once, listed and taken back', async () => {
    const secret = await store();
    const wanted = Array.from({ length: 3 }, (_, at) => ({
      service: 'web',
      resourceType: 'deployment',
      resourceId: `shop ${at}`,
    }));
    for (const one of [...wanted, ...wanted]) await coffer.consumers.add({ secret, ...one });
    const listed = [];
    for await (const { created: _, ...one } of coffer.consumers.list({ secret })) listed.push(one);
    expect(listed).toEqual(wanted);
    const gone = { secret, ...wanted[1]! };
    await coffer.consumers.remove(gone);
    await expect(coffer.consumers.remove(gone)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('of a container show in it too', async () => {
    const { id: container } = await coffer.containers.create();
    const consumer = { name: 'balancer', url: 'https://lb.example/1' };
    await coffer.consumers.add({ container, ...consumer });
    expect((await coffer.containers.get(container)).consumers).toEqual([consumer]);
    await coffer.consumers.remove({ container, ...consumer });
    expect((await coffer.containers.get(container)).consumers).toEqual([]);
  });

  it('past a page are listed too', async () => {
    const item = (at: number) => ({ name: `name ${at}`, URL: 'u', created: '2026-01-01T00:00:00' });
    const scripted = await startScriptedServer(({ path }, reply) => {
      const offset = Number(new URL(path, 'http://host').searchParams.get('offset'));
      const consumers = Array.from({ length: offset < 200 ? 100 : 5 }, (_, at) => item(offset + at));
      reply.json(200, { consumers, ...(offset < 200 && { next: 'https://elsewhere.example/' }), total: 205 });
    });
    try {
      const other = new Coffer({ url: scripted.url, credentials: { type: 'token', token: 't' } });
      const names: (string | undefined)[] = [];
      for await (const { name } of other.consumers.list({ container: unknownId })) names.push(name);
      expect(names).toEqual(Array.from({ length: 205 }, (_, at) => `name ${at}`));
    } finally {
      await scripted.close();
    }
  });
});

describe('an answer that was lost', () => {
  it.each([
    ['adding', 409, async (other: Coffer) => await other.containers.addSecret(unknownId, unknownId, 'x')],
    ['removing', 404, async (other: Coffer) => await other.containers.removeSecret(unknownId, unknownId)],
    ['deleting', 404, async (other: Coffer) => await other.containers.delete(unknownId)],
    [
      'removing a consumer',
      404,
      async (other: Coffer) => await other.consumers.remove({ container: unknownId, name: 'x', url: 'y' }),
    ],
  ] as const)('does not make %s fail when it was done', async (_, status, act) => {
    const refuse = { code: status, title: 'x', description: 'x' };
    const scripted = await startScriptedServer((_seen, reply, count) =>
      count === 0 ? reply.cut() : reply.json(status, refuse),
    );
    try {
      const options = {
        url: scripted.url,
        credentials: { type: 'token', token: 't' } as const,
        retryDelayMs: 1,
      };
      await act(new Coffer(options));
      expect(scripted.calls()).toHaveLength(2);
      await expect(act(new Coffer(options))).rejects.toMatchObject({ status });
    } finally {
      await scripted.close();
    }
  });
});
