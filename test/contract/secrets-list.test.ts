import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import type { Client } from './raw-http.ts';

let keyManager: KeyManager;
beforeAll(async () => {
  keyManager = await startKeyManager();
});
afterAll(async () => await keyManager.stop());

/** Each group of tests has a project of its own. */
const inProject = (project: string): Client => keyManager.as('creator', { project });
/** Stores secrets one after another: lists are in the order of time, which is kept to the millisecond. */
async function storeInTurn(client: Client, secrets: readonly object[]): Promise<void> {
  for (const secret of secrets) {
    keyManager.clock.offsetMilliseconds += 1;
    expect((await client.post('/v1/secrets', secret)).status).toBe(201);
  }
}
const names = async (client: Client, query: string): Promise<string[]> => {
  const reply = await client.get(`/v1/secrets?${query}`);
  expect(reply.status).toBe(200);
  return reply.json.secrets.map((secret: { name: string }) => secret.name);
};

describe('the list of secrets', () => {
  it('is empty for a project that has none', async () => {
    const reply = await inProject('empty').get('/v1/secrets');
    expect([reply.status, reply.json]).toEqual([200, { secrets: [], total: 0 }]);
  });

  it('shows each secret as it is shown alone, at every version', async () => {
    const client = inProject('shown');
    const { json } = await client.post('/v1/secrets', {
      name: 'a',
      payload: 'x',
      payload_content_type: 'text/plain',
    });
    for (const version of ['1.0', '1.1', '1.2']) {
      const alone = (await client.get(json.secret_ref, { version })).json;
      expect((await client.get('/v1/secrets', { version })).json).toEqual({ secrets: [alone], total: 1 });
    }
  });

  it('shows those of the own project alone', async () => {
    await inProject('mine').post('/v1/secrets', { name: 'mine' });
    await inProject('theirs').post('/v1/secrets', { name: 'theirs' });
    expect(await names(inProject('mine'), '')).toEqual(['mine']);
    expect(await names(inProject('mine'), 'project_id=theirs&acl_only=false')).toEqual(['mine']);
  });

  it('shows nothing for acl_only as long as no ACL names the caller', async () => {
    await inProject('acl').post('/v1/secrets', { name: 'mine' });
    expect((await inProject('acl').get('/v1/secrets?acl_only=TRUE')).json).toEqual({ secrets: [], total: 0 });
  });

  it('forgets what was deleted', async () => {
    const client = inProject('deleting');
    const { json } = await client.post('/v1/secrets', {});
    await client.delete(json.secret_ref);
    expect((await client.get('/v1/secrets')).json.total).toBe(0);
  });

  it('is JSON or not acceptable', async () => {
    const client = inProject('empty');
    for (const accept of [undefined, '*/*', 'application/json, text/plain, */*', 'application/*;q=0.1']) {
      expect((await client.get('/v1/secrets', { headers: { accept } })).status).toBe(200);
    }
    const refused = await client.get('/v1/secrets', { headers: { accept: 'text/plain' } });
    expect(refused.json).toEqual({ code: 406, title: 'Not Acceptable', description: null });
  });
});

describe('pages', () => {
  let client: Client;
  beforeAll(async () => {
    client = inProject('pages');
    const numbers = Array.from({ length: 12 }, (_, index) => String(index).padStart(2, '0'));
    await storeInTurn(
      client,
      numbers.map((number) => ({ name: `n${number}`, algorithm: 'a b' })),
    );
  });
  const link = (query: string) => `${keyManager.publicUrl}/v1/secrets?${query}`;

  it('have ten secrets, from the oldest on, and link on with the filters kept', async () => {
    const { json } = await client.get('/v1/secrets?alg=a%20b&sort=name');
    expect(Object.keys(json)).toEqual(['secrets', 'next', 'total']);
    expect(json.secrets.map(({ name }: { name: string }) => name)).toEqual(
      Array.from({ length: 10 }, (_, index) => `n0${index}`),
    );
    expect(json.next).toBe(link('limit=10&offset=10&alg=a+b&sort=name'));
    expect(json.total).toBe(12);
    const second = (await client.get(`/v1/secrets?${json.next.split('?')[1]}`)).json;
    expect(Object.keys(second)).toEqual(['secrets', 'previous', 'total']);
    expect(second.secrets.map(({ name }: { name: string }) => name)).toEqual(['n10', 'n11']);
    expect(second.previous).toBe(link('limit=10&offset=0&alg=a+b&sort=name'));
  });

  it('without an order come in that of creation', async () => {
    expect(await names(client, 'limit=100')).toEqual(
      Array.from({ length: 12 }, (_, index) => `n${String(index).padStart(2, '0')}`),
    );
  });

  it.each([
    ['limit=0&offset=0', 1],
    ['limit=-1', 1],
    ['limit=5', 5],
    ['limit=1000', 12],
    ['limit=x', 10],
    ['limit=', 10],
    ['offset=-5', 10],
    ['offset=x', 10],
    ['offset=11', 1],
    ['offset=99999999999999999999999', 10],
    ['limit=2&limit=3', 3],
  ])('asked for by %s have %i', async (query, count) => {
    const { status, json } = await client.get(`/v1/secrets?${query}`);
    expect([status, json.secrets.length, json.total]).toEqual([200, count, 12]);
  });

  it('past the end are empty and lead nowhere', async () => {
    expect((await client.get('/v1/secrets?offset=12')).json).toEqual({ secrets: [], total: 12 });
  });

  it('lead back to the start', async () => {
    const { json } = await client.get('/v1/secrets?limit=5&offset=3');
    expect(json.previous).toBe(link('limit=5&offset=0'));
    expect(json.next).toBe(link('limit=5&offset=8'));
  });
});

describe('filters', () => {
  let client: Client;
  const secrets = [
    { name: 'alpha', algorithm: 'aes', mode: 'cbc', bit_length: 128, secret_type: 'symmetric' },
    { name: 'alpine', algorithm: 'aes', mode: 'ctr', bit_length: 256, expiration: '2130-06-01' },
    { name: 'beta_1', algorithm: 'rsa', bit_length: 256, secret_type: 'private', expiration: '2131-06-01' },
    { name: 'beta-1', algorithm: 'AES' },
    { name: 'back\\slash' },
    { name: '' },
    {},
  ];
  beforeAll(async () => {
    client = inProject('filters');
    await storeInTurn(client, secrets);
  });

  it.each([
    ['name=alpha', ['alpha']],
    ['&name=alpha', ['alpha']],
    ['name=ALPHA', []],
    ['name=alp%25', ['alpha', 'alpine']],
    ['name=%25a', ['alpha']],
    ['name=beta_1', ['beta_1', 'beta-1']],
    ['name=alp', []],
    ['name=back%5Cslash', ['back\\slash']],
    ['name=back%5C%25', ['back\\slash']],
    ['name=%25%5C', []],
    ['name=%25%5C%25', ['back\\slash']],
    ['name=%2561lpha', ['alpha']],
    ['name=%zz', []],
    ['name=100%25zz%25', []],
    ["name='%20OR%201=1--", []],
    ['name=&alg=rsa', ['beta_1']],
    ['alg=aes', ['alpha', 'alpine']],
    ['alg=a%25', ['alpha', 'alpine']],
    ['mode=c__', ['alpha', 'alpine']],
    ['mode=cbc', ['alpha']],
    ['bits=256', ['alpine', 'beta_1']],
    ['bits=256&alg=rsa', ['beta_1']],
    ['bits=99999999999999999999999999999', []],
    ['secret_type=private', ['beta_1']],
    ['secret_type=bogus', []],
    ['expiration=2130-06-01', ['alpine']],
    ['expiration=2130-06-01T02:00:00%2B02:00', ['alpine']],
    ['expiration=gt:2130-06-01', ['beta_1']],
    ['expiration=gte:2130-06-01,lt:2131-06-01', ['alpine']],
    ['expiration=lte:2131-06-01', ['alpine', 'beta_1']],
    ['created=lt:2020-01-01', []],
    ['updated=gt:2130-01-01', []],
    ['status=ERROR&creator_id=nobody&name=alpha', ['alpha']],
  ])('%s', async (query, found) => {
    expect(await names(client, query)).toEqual(found);
  });

  it.each([
    '',
    'bits=x',
    'bits=0',
    'bits=-1',
    'created=gt:2020-01-01',
    'unknown=x',
    'name=%25&name=',
    'sort=',
  ])('%j leaves none out but those without a name where there is one asked for', async (query) => {
    expect((await client.get(`/v1/secrets?${query}`)).json.total).toBe(secrets.length);
  });

  it.each([
    'sort=bogus',
    'sort=name,name',
    'sort=name:up',
    'sort=seal',
    'created=bogus',
    'created=gt:2020-01-01,gt:2021-01-01',
    'updated=2020-02-30',
    'expiration=2020-01-01,2021-01-01',
    'name=%2500',
    `name=${'x'.repeat(2000)}`,
  ])('%s answers 400', async (query) => {
    const reply = await client.get(`/v1/secrets?${query}`);
    expect(reply.json).toEqual({
      code: 400,
      title: 'Bad Request',
      description: 'URI provided invalid query string parameters.',
    });
  });

  it('asks for rights before it looks at the query', async () => {
    expect((await keyManager.as('audit').get('/v1/secrets?sort=bogus')).status).toBe(403);
  });

  it.each([
    ['name:desc&name=alp%25', ['alpine', 'alpha']],
    ['bit_length,name:desc&alg=a%25', ['alpha', 'alpine']],
    ['bit_length:desc&alg=a%25', ['alpine', 'alpha']],
    ['algorithm:desc,mode:desc&alg=%25&mode=%25', ['alpine', 'alpha']],
    ['expiration:desc&expiration=gt:2130-01-01', ['beta_1', 'alpine']],
    ['created:desc&alg=a%25', ['alpine', 'alpha']],
    ['updated&alg=a%25', ['alpha', 'alpine']],
    ['secret_type:desc,status&bits=256', ['beta_1', 'alpine']],
  ])('sort=%s', async (query, found) => {
    expect(await names(client, `sort=${query}`)).toEqual(found);
  });
});
