import { afterAll, beforeAll, expect, it } from 'vitest';
import { publicUrl, type Running, secretId, startEdge } from './edge-server.ts';

let edge: Running;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.app.close());

interface Ask {
  method?: string;
  token?: string;
  headers?: Record<string, string>;
  body?: string;
}

async function ask(path: string, { method = 'GET', token = 'good', headers = {}, body }: Ask = {}) {
  const response = await fetch(`${edge.url}${path}`, {
    method,
    headers: { ...(token !== '' && { 'x-auth-token': token }), ...headers },
    redirect: 'manual',
    ...(body !== undefined && { body }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
}

const json = { 'content-type': 'application/json' };

it('says who may come in before what exists: 401 for known and unknown paths under /v1', async () => {
  for (const [path, method] of [
    ['/v1/secrets', 'GET'],
    ['/v1/nothing', 'GET'],
    ['/v1', 'GET'],
    ['/v1/secrets', 'PATCH'],
    ['/v1/secrets/x', 'GET'],
  ]) {
    const answer = await ask(path ?? '', { method: method ?? '', token: '' });
    expect([path, answer.status]).toEqual([path, 401]);
    expect(answer.headers.get('www-authenticate')).toBe(`Keystone uri="${publicUrl}/identity"`);
    expect(answer.json()).toEqual({
      error: {
        code: 401,
        title: 'Unauthorized',
        message: 'The request you have made requires authentication.',
      },
      code: 401,
      title: 'Unauthorized',
      description: 'The request you have made requires authentication.',
    });
  }
});

it('takes a bad token, one without a project, and identity headers alone, for no token', async () => {
  expect((await ask('/v1/secrets', { token: 'bad' })).status).toBe(401);
  expect((await ask('/v1/secrets', { token: 'unscoped' })).status).toBe(401);
  expect((await ask('/identity/v3/projects', { token: 'unscoped' })).status).toBe(200);
  const headers = {
    'x-project-id': 'p1',
    'x-roles': 'admin',
    'x-user-id': 'u1',
    'x-identity-status': 'Confirmed',
  };
  expect((await ask('/v1/secrets', { token: '', headers })).status).toBe(401);
});

it('takes the token from X-Auth-Token or a bearer, and refuses two that differ with 400', async () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  expect((await ask('/v1/secrets', { token: '', headers: bearer('good') })).json().user).toBe('u1');
  expect((await ask('/v1/secrets', { headers: bearer('good') })).status).toBe(200);
  expect((await ask('/v1/secrets', { headers: bearer('other') })).status).toBe(400);
  expect((await ask('/v1/secrets', { token: '', headers: { authorization: 'Basic Z29vZA==' } })).status).toBe(
    401,
  );
  expect((await ask('/v1/secrets', { token: '', headers: { 'X-AUTH-TOKEN': 'good' } })).status).toBe(200);
});

it('checks in the order of the contract: 401, 404, 405, 406, 403, 415, 400', async () => {
  const broken = { method: 'POST', body: '{', headers: { accept: 'text/html', 'content-type': 'text/html' } };
  expect((await ask('/v1/secrets', { ...broken, token: '' })).status).toBe(401);
  expect((await ask('/v1/secrets/not-an-id', { ...broken, method: 'PATCH' })).status).toBe(404);
  expect((await ask(`/v1/secrets/${secretId}`, { ...broken, method: 'PATCH' })).status).toBe(405);
  expect((await ask('/v1/secrets', { ...broken, token: 'reader' })).status).toBe(406);
  expect(
    (await ask('/v1/secrets', { ...broken, token: 'reader', headers: { 'content-type': 'text/html' } }))
      .status,
  ).toBe(403);
  expect(
    (await ask('/v1/secrets', { ...broken, token: 'reader', headers: { 'content-type': '!' } })).status,
  ).toBe(403);
  expect((await ask('/v1/secrets', { ...broken, headers: { 'content-type': 'text/html' } })).status).toBe(
    415,
  );
  expect((await ask('/v1/secrets', { ...broken, headers: json })).status).toBe(400);
  expect((await ask('/v1/secrets', { ...broken, headers: json, body: '{}' })).status).toBe(201);
});

it('answers 405 with the methods of the path, whatever Accept says', async () => {
  for (const method of ['PATCH', 'POST', 'HEAD']) {
    const answer = await ask(`/v1/secrets/${secretId}/`, { method, headers: { accept: 'application/json' } });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('DELETE, GET, PUT');
    if (method !== 'HEAD')
      expect(answer.json()).toEqual({ code: 405, title: 'Method Not Allowed', description: '' });
  }
  expect((await ask('/', { method: 'POST', token: '' })).headers.get('allow')).toBe('GET');
  expect((await ask('//v1//secrets', { method: 'PUT' })).headers.get('allow')).toBe('GET, POST');
});

it('answers OPTIONS with 200 and nothing, to anyone', async () => {
  const answer = await ask('/v1/secrets', { method: 'OPTIONS', token: '' });
  expect([answer.status, answer.text]).toEqual([200, '']);
});

it('answers 404 in the shape of the surface', async () => {
  expect((await ask('/v1/nothing')).json()).toEqual({ code: 404, title: 'Not Found', description: '' });
  expect((await ask('/v9', { token: '' })).json()).toEqual({
    code: 404,
    title: 'Not Found',
    description: '',
  });
  expect((await ask('/identity/v3/nothing', { token: '' })).json()).toEqual({
    error: { code: 404, title: 'Not Found', message: 'Not Found' },
  });
  expect((await ask('/v1/secrets/DCD327CC-56EA-478F-B761-911E3EDCFB94')).json().description).toBe(
    'Not Found. Provided secret id is invalid.',
  );
});

it('takes slashes doubled or at the end, and is strict about case', async () => {
  expect((await ask('//v1//secrets/')).status).toBe(200);
  expect((await ask(`/v1/secrets/${secretId}/`)).status).toBe(200);
  expect((await ask('/V1/secrets', { token: '' })).status).toBe(404);
});

it('answers broken escapes and long segments with 400 or 404', async () => {
  for (const path of [
    `/v1/secrets/%zz`,
    '/v1/secrets/%',
    '/%ff%fe',
    `/v1/secrets/${secretId}/metadata/%C3%28`,
    '/v1/%00',
    '/?name=%00',
  ]) {
    const answer = await ask(path);
    expect([path, [400, 404].includes(answer.status)]).toEqual([path, true]);
    expect(answer.headers.get('x-openstack-request-id')).toMatch(/^req-/);
  }
  const long = 'k'.repeat(5_000);
  expect((await ask(`/v1/secrets/${secretId}/metadata/${long}`)).json().params.key).toBe(long);
});

it('takes the last of a repeated parameter and a leading ampersand', async () => {
  expect((await ask('/v1/secrets?&name=x&limit=2&limit=3&a+b=c%20d&bad=%zz')).json().query).toEqual({
    name: 'x',
    limit: '3',
    'a b': 'c d',
    bad: '%zz',
  });
});

it('negotiates a microversion on / and /v1, and says which on every answer that got so far', async () => {
  const at = (version: string) => ({ 'openstack-api-version': `key-manager ${version}` });
  for (const path of ['/v1/secrets', '/v1/nothing']) {
    const answer = await ask(path, { headers: at('1.1') });
    expect(answer.headers.get('openstack-api-version')).toBe('key-manager 1.1');
    expect(answer.headers.get('vary')).toBe('openstack-api-version');
  }
  expect((await ask('/v1/secrets')).headers.get('openstack-api-version')).toBe('key-manager 1.0');
  const refused = await ask('/v1/secrets', { headers: { ...at('9.9'), accept: 'application/json' } });
  expect(refused.status).toBe(406);
  expect(refused.json()).toMatchObject({ code: '406 Not Acceptable', title: 'Not Acceptable' });
  expect(refused.headers.get('openstack-api-version')).toBeNull();
  const text = await ask('/', { token: '', headers: { ...at('abc'), accept: 'text/html' } });
  expect([text.status, text.headers.get('content-type')]).toEqual([400, 'text/plain; charset=UTF-8']);
  expect((await ask('/v1/secrets', { token: '', headers: at('9.9') })).status).toBe(401);
});

it('shows its versions at / and /v1', async () => {
  const root = await ask('/', { token: '' });
  expect(root.status).toBe(300);
  expect(root.json().versions.values[0]).toMatchObject({ id: 'v1', status: 'stable' });
  expect(root.json().versions.values[0].links[0].href).toBe(`${publicUrl}/v1/`);
  const newer = await ask('/', { token: '', headers: { 'openstack-api-version': 'key-manager 1.1' } });
  expect(newer.json().versions[0]).toMatchObject({
    status: 'CURRENT',
    min_version: '1.0',
    max_version: '1.2',
  });
  expect((await ask('/?build', { token: '' })).json()).toEqual({ build: '9.9.9' });
  const home = await ask('/', { token: '', headers: { accept: 'application/json-home' } });
  expect([home.status, home.headers.get('location')]).toEqual([302, `${publicUrl}/v1/`]);
  expect((await ask('/', { token: '', headers: { accept: 'text/html' } })).status).toBe(406);
  expect((await ask('/v1')).json().version.id).toBe('v1');
  expect((await ask('/v1/')).json().version.id).toBe('v1');
});

it('puts an id, no-store and nosniff on every answer, and no charset on JSON', async () => {
  const answers = [
    await ask('/', { token: '' }),
    await ask('/v1/secrets'),
    await ask('/v1/nothing'),
    await ask('/v1/secrets', { method: 'PATCH' }),
    await ask('/v1/secrets', { token: '' }),
    await ask('/%zz'),
    await ask('/failure'),
    await ask(`/v1/secrets/${secretId}`, { method: 'DELETE' }),
    await ask('/v1', { method: 'OPTIONS' }),
  ];
  for (const answer of answers) {
    expect(answer.headers.get('x-openstack-request-id')).toMatch(/^req-[0-9a-f-]{36}$/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    if (answer.text !== '') expect(answer.headers.get('content-type')).toBe('application/json');
  }
  expect(new Set(answers.map((answer) => answer.headers.get('x-openstack-request-id'))).size).toBe(
    answers.length,
  );
});

it('answers 204 with no body and no length', async () => {
  const answer = await ask(`/v1/secrets/${secretId}`, { method: 'DELETE', headers: json });
  expect([answer.status, answer.text, answer.headers.get('content-length')]).toEqual([204, '', null]);
});

it('answers a bug with 500 and no detail, and logs where it was without what it held', async () => {
  edge.lines.length = 0;
  const answer = await ask('/failure?x=5up3rs3cr3t', { headers: { 'x-note': '5up3rs3cr3t' } });
  expect(answer.status).toBe(500);
  expect(answer.json()).toEqual({
    code: 500,
    title: 'Internal Server Error',
    description: 'Unexpected failure seen - please contact site administrator.',
  });
  const log = JSON.stringify(edge.lines);
  expect(log).toContain('edge-server.ts');
  expect(log).toContain(answer.headers.get('x-openstack-request-id'));
  expect(log).not.toContain('5up3rs3cr3t');
});

it('says when to come back with 503', async () => {
  const answer = await ask('/busy');
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '7']);
});

it('refuses an inherited name for a route as not found', async () => {
  for (const name of ['__proto__', 'constructor', 'toString'])
    expect((await ask(`/v1/${name}`)).status).toBe(404);
  expect((await ask('/v1/secrets?__proto__=x&constructor=y')).json().query).toMatchObject({
    constructor: 'y',
  });
});
