import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { one, other } from '../config/certificates.ts';
import { type BuiltCoffer, buildCoffer } from './built-coffer.ts';

const id = '3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071';
let server: Server;
let coffer: BuiltCoffer;
let env: Record<string, string>;
let requests = 0;

beforeAll(async () => {
  server = createServer(one, (_request, response) => {
    requests += 1;
    response.end('value');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  coffer = await buildCoffer();
  writeFileSync(join(coffer.home, 'one.pem'), one.cert);
  writeFileSync(join(coffer.home, 'other.pem'), other.cert);
  const { port } = server.address() as AddressInfo;
  env = { COFFER_URL: `https://localhost:${port}`, OS_TOKEN: 'canary-token' };
});
afterAll(() => {
  coffer.remove();
  server.closeAllConnections();
  server.close();
});

it('sends nothing to a server whose certificate it does not trust, and says what to set', async () => {
  for (const more of [{}, { OS_CACERT: join(coffer.home, 'other.pem') }]) {
    const ended = await coffer.run(['secret', 'get', id], { env: { ...env, ...more } });
    expect(ended.code).toBe(78);
    expect(ended.stderr).toMatch(/^coffer: .*OS_CACERT.*\n$/);
    expect(ended.stderr).not.toContain('canary');
  }
  expect(requests).toBe(0);
});

it('trusts the authority of OS_CACERT, as OpenStack clients do', async () => {
  const more = { OS_CACERT: join(coffer.home, 'one.pem') };
  const ended = await coffer.run(['secret', 'get', id], { env: { ...env, ...more } });
  expect([ended.code, String(ended.stdout), ended.stderr]).toEqual([0, 'value', '']);
});

it('says which file of OS_CACERT cannot be read', async () => {
  const ended = await coffer.run(['secret', 'get', id], { env: { ...env, OS_CACERT: '/nowhere/ca.pem' } });
  expect([ended.code, ended.stderr]).toEqual([78, expect.stringContaining('/nowhere/ca.pem')]);
});
