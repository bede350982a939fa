import { generateKeyPairSync, sign } from 'node:crypto';
import { request as tlsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { expect, it } from 'vitest';
import { noAuthenticate } from '../../src/http/no-auth.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { authenticate, publicUrl, recordingLog, secretId, startEdge } from './edge-server.ts';

const server = () => createHttpServer({ publicUrl, log: recordingLog([]), authenticate });

it('does not start with a route that does not say who may come in', () => {
  const handler = async () => ({});
  expect(() => server().get('/v1/open', handler)).toThrow('route GET /v1/open: config needs exactly one of');
  expect(() => server().get('/v1/open', { config: {} }, handler)).toThrow('exactly one');
  expect(() => server().get('/v1/open', { config: { public: true, actor: true } }, handler)).toThrow(
    'exactly one',
  );
  expect(() => server().get('/v1/:a-:b', { config: { public: true } }, handler)).toThrow('whole segments');
  expect(() => server().get('/v1/open', { config: { action: 'secrets:get' } }, handler)).not.toThrow();
});

it('guards the routes of plugins too', async () => {
  const app = server();
  app.register(async (scope) => {
    scope.get('/hidden', async () => ({}));
  });
  await expect(app.ready()).rejects.toThrow('route GET /hidden');
  await app.close();
});

it('lets a schema of a body document, and a schema of parameters refuse', async () => {
  const edge = await startEdge({}, (app) => {
    const schema = { body: { type: 'object', required: ['a'] } };
    app.post('/v1/described', { config: { actor: true }, schema }, async () => ({ came: 'through' }));
    const querystring = {
      type: 'object',
      properties: { n: { type: 'integer' } },
      additionalProperties: false,
    };
    app.get('/v1/described', { config: { actor: true }, schema: { querystring } }, async () => ({}));
  });
  const headers = { 'x-auth-token': 'good' };
  expect((await fetch(`${edge.url}/v1/described`, { method: 'POST', headers, body: 'x' })).status).toBe(200);
  expect((await fetch(`${edge.url}/v1/described?n=1`, { headers })).status).toBe(400);
  await edge.app.close();
});

it('believes the headers without authentication, on /v1 only, and asks for a project', async () => {
  const edge = await startEdge({ noAuth: true });
  const ask = async (path: string, headers: Record<string, string>) => {
    const answer = await fetch(`${edge.url}${path}`, { headers });
    return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
  };
  expect((await ask('/v1/secrets', { 'x-project-id': 'p' })).status).toBe(200);
  const missing = await ask('/v1/secrets', { accept: 'application/json' });
  expect([missing.status, JSON.parse(missing.text)]).toEqual([
    400,
    { message: 'Missing X-Project-Id', code: '400 Bad Request', title: 'Bad Request' },
  ]);
  const plain = await ask('/v1/secrets', { accept: 'text/html' });
  expect([plain.status, plain.type]).toEqual([400, 'text/plain; charset=UTF-8']);
  expect((await ask('/v1/nothing', {})).status).toBe(400);
  expect((await ask('/identity/v3/projects', { 'x-project-id': 'p' })).status).toBe(401);
  await edge.app.close();
});

it('makes an actor of the headers, and never one of the project that holds the keys', () => {
  expect(
    noAuthenticate({
      'x-project-id': 'p',
      'x-user-id': 'u',
      'x-roles': 'creator, observer,,',
      'x-domain-id': 'd',
    }),
  ).toEqual({
    userId: 'u',
    scope: 'project',
    projectId: 'p',
    scopeDomainId: null,
    roles: ['creator', 'observer'],
    domainId: 'd',
    auditId: 'noauth',
    applicationCredentialId: null,
    accessRules: null,
  });
  expect(noAuthenticate({ 'x-project-id': 'p' }).roles).toContain('admin');
  expect(noAuthenticate({ 'x-project-id': 'p', 'x-roles': '' }).roles).toEqual([]);
  expect(noAuthenticate({ 'x-project-id': 'p', 'x-roles': 'Member,CREATOR' }).roles).toEqual([
    'member',
    'reader',
    'creator',
  ]);
  for (const bad of ['system', '', 'a b', 'é', 'x'.repeat(256)]) {
    expect(() => noAuthenticate({ 'x-project-id': bad })).toThrow(/X-Project-Id/i);
  }
});

it('speaks TLS 1.2 and later with the certificate it is given, and says so to browsers', async () => {
  const { privateKey, certificate } = selfSigned();
  const app = createHttpServer({
    publicUrl: 'https://kms.example',
    log: recordingLog([]),
    authenticate,
    tls: { key: privateKey, cert: certificate },
  });
  app.get('/health/live', { config: { public: true } }, async () => ({ status: 'ok' }));
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const answer = await new Promise<{ status?: number | undefined; hsts?: unknown }>((resolve, reject) => {
    tlsRequest({ port, path: '/health/live', rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve({ status: response.statusCode, hsts: response.headers['strict-transport-security'] });
    })
      .on('error', reject)
      .end();
  });
  expect(answer).toEqual({ status: 200, hsts: 'max-age=31536000' });
  const old = new Promise((resolve) => {
    tlsConnect({ port, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', rejectUnauthorized: false })
      .on('secureConnect', () => resolve('connected'))
      .on('error', () => resolve('refused'));
  });
  expect(await old).toBe('refused');
  await app.close();
});

it('keeps the id of a secret in its route', async () => {
  const edge = await startEdge();
  const answer = await fetch(`${edge.url}/v1/secrets/${secretId}`, { headers: { 'x-auth-token': 'good' } });
  expect(await answer.json()).toEqual({ params: { secretId } });
  await edge.app.close();
});

/** A self-signed Ed25519 certificate that says no more than RFC 5280 §4.1 asks for. */
function selfSigned(): { privateKey: string; certificate: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const der = (tag: number, ...parts: Uint8Array[]): Buffer => {
    const content = Buffer.concat(parts);
    const length = content.length < 128 ? [content.length] : [0x81, content.length];
    return Buffer.concat([Uint8Array.from([tag, ...length]), content]);
  };
  const algorithm = der(0x30, Buffer.from('06032b6570', 'hex'));
  const validity = der(
    0x30,
    der(0x17, Buffer.from('200101000000Z')),
    der(0x17, Buffer.from('491231235959Z')),
  );
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const statement = der(0x30, der(0x02, Uint8Array.of(1)), algorithm, der(0x30), validity, der(0x30), spki);
  const signature = der(0x03, Uint8Array.of(0), sign(null, statement, privateKey));
  const certificate = der(0x30, statement, algorithm, signature).toString('base64');
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----\n`,
  };
}
