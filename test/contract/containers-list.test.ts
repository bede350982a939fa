import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client } from './raw-http.ts';

let keyManager: KeyManager;
let creator: Client;
const refs: string[] = [];
const NAMES = ['alpha', 'alpha', 'al_ha', 'al%a', 'beta', null, 'Alpha', 'a\\b', '☂', ''];
beforeAll(async () => {
  keyManager = await startKeyManager();
  creator = keyManager.as('creator');
  for (const [index, name] of NAMES.entries()) {
    const type = ['generic', 'rsa', 'certificate'][index % 3];
    // The list is in the order of time, which is kept to the millisecond.
    keyManager.clock.offsetMilliseconds += 1;
    refs.push((await creator.post('/v1/containers', { name, type })).json.container_ref);
  }
  await keyManager
    .as('creator', { project: 'project-2' })
    .post('/v1/containers', { type: 'generic', name: 'alpha' });
});
afterAll(async () => await keyManager.stop());

const list = async (query: string) => (await creator.get(`/v1/containers${query}`)).json;
const found = async (query: string): Promise<number[]> =>
  (await list(`?limit=100&${query}`)).containers.map(({ container_ref }: { container_ref: string }) =>
    refs.indexOf(container_ref),
  );

describe('the list of containers', () => {
  it('has those of the project, oldest first, each as it is by itself', async () => {
    const { containers, total } = await list('?limit=100');
    expect(total).toBe(NAMES.length);
    expect(containers.map(({ container_ref }: { container_ref: string }) => container_ref)).toEqual(refs);
    for (const container of containers) {
      expect((await creator.get(container.container_ref)).json).toEqual(container);
    }
  });

  it('filters by name with wildcards, by type, and by both', async () => {
    expect(await found('name=alpha')).toEqual([0, 1]);
    expect(await found('name=al%25')).toEqual([0, 1, 2, 3]);
    expect(await found('name=al_ha')).toEqual([0, 1, 2]);
    expect(await found('name=%25')).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9]);
    expect(await found('name=a%5Cb')).toEqual([7]);
    expect(await found('name=%25%5C%25')).toEqual([7]);
    expect(await found('name=%E2%98%82')).toEqual([8]);
    expect(await found('name=nothing')).toEqual([]);
    expect(await found('type=rsa')).toEqual([1, 4, 7]);
    expect(await found('type=RSA')).toEqual([]);
    expect(await found('name=alpha&type=rsa')).toEqual([1]);
    expect(await found('name=&type=')).toHaveLength(NAMES.length);
    expect(await found('status=ERROR&creator_id=x&sort=name')).toHaveLength(NAMES.length);
  });

  it('counts all that match, and links to the pages before and after with the filters', async () => {
    const first = await list('?limit=1&offset=0&name=al%25');
    expect([first.containers.length, first.total, first.previous]).toEqual([1, 4, undefined]);
    expect(first.next).toBe('https://kms.example:9311/v1/containers?limit=1&offset=1&name=al%25');
    const walked: string[] = [first.containers[0].container_ref];
    let { next } = first;
    while (next !== undefined) {
      const page = await list(new URL(next).search);
      walked.push(page.containers[0].container_ref);
      expect(page.previous).toContain('name=al%25');
      ({ next } = page);
    }
    expect(walked).toEqual(refs.slice(0, 4));
  });

  it('takes any page without refusing: none past the end, one for none', async () => {
    expect(await list('?offset=100')).toEqual({ containers: [], total: NAMES.length });
    expect((await list('?limit=0&offset=0')).containers).toHaveLength(1);
    expect((await list('')).containers).toHaveLength(10);
    expect((await list('?limit=x&offset=y')).containers).toHaveLength(10);
    expect((await list('?limit=2&limit=3')).containers).toHaveLength(3);
    expect((await list('?offset=-5&limit=1')).containers[0].container_ref).toBe(refs[0]);
  });

  it('refuses a filter that is too long', async () => {
    const reply = await creator.get(`/v1/containers?name=${'x'.repeat(1_025)}`);
    expect([reply.status, reply.json.description]).toEqual([
      400,
      'URI provided invalid query string parameters.',
    ]);
  });

  it('is empty for a project that nobody wrote to', async () => {
    const nobody = keyManager.as('creator', { project: 'never seen' });
    expect((await nobody.get('/v1/containers')).json).toEqual({ containers: [], total: 0 });
  });

  it('is JSON or nothing', async () => {
    for (const accept of ['text/plain', 'application/xml']) {
      expect((await creator.get('/v1/containers', { headers: { accept } })).status).toBe(406);
    }
    const reply = await creator.get('/v1/containers/', { headers: { accept: 'application/*' } });
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/json']);
  });
});

describe('a container', () => {
  it('is deleted once, and its secrets stay', async () => {
    const { secret_ref } = (await creator.post('/v1/secrets', {})).json;
    const body = { type: 'generic', secret_refs: [{ secret_ref }] };
    const ref = (await creator.post('/v1/containers', body)).json.container_ref as string;
    const reply = await creator.delete(`${ref}/`, { headers: { accept: 'text/plain' } });
    expect([reply.status, reply.bytes.length]).toEqual([204, 0]);
    expect((await creator.get(secret_ref)).status).toBe(200);
    for (const method of ['GET', 'DELETE']) {
      const again = await creator.send(method, ref);
      expect([again.status, again.json.description]).toEqual([404, 'Secrets container not found.']);
    }
  });

  it('is found under a canonical id alone', async () => {
    const id = refs.map((ref) => ref.slice(-36)).find((one) => /[a-f]/.test(one)) ?? '';
    for (const bad of [
      'x',
      id.toUpperCase(),
      id.replaceAll('-', ''),
      `${id}x`,
      '%20',
      `${id.slice(0, 14)}1${id.slice(15)}`,
    ]) {
      const reply = await creator.get(`/v1/containers/${bad}`);
      expect([reply.status, reply.json.description]).toEqual([
        404,
        'Not Found. Provided container id is invalid.',
      ]);
    }
    expect((await creator.get(`//v1//containers/${id}/`)).status).toBe(200);
    expect((await creator.get(`/v1/containers/${id}/nope`)).status).toBe(404);
  });

  it('cannot be changed: 405 with what there is', async () => {
    for (const method of ['PUT', 'PATCH', 'HEAD', 'POST']) {
      const reply = await creator.send(method, refs[0] ?? '', { headers: { accept: 'application/json' } });
      expect([method, reply.status, reply.headers.allow]).toEqual([method, 405, 'DELETE, GET']);
    }
    const reply = await creator.send('DELETE', '/v1/containers');
    expect([reply.status, reply.headers.allow]).toEqual([405, 'GET, POST']);
  });

  it('reads the same at every version', async () => {
    const [ref = ''] = refs;
    const texts = await Promise.all(
      ['1.0', '1.1', '1.2', 'latest'].map(async (version) => (await creator.get(ref, { version })).text),
    );
    expect(new Set(texts).size).toBe(1);
  });
});
