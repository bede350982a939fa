import { request } from 'node:https';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { one } from '../config/certificates.ts';
import { createDatabase, type TestDatabase } from '../harness/database.ts';
import { ask, logInByOpenrc, readPayload, storeText } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from './built-coffer.ts';
import { type DatabaseProxy, proxyTo } from './database-proxy.ts';
import type { Ended } from './server-process.ts';

let built: BuiltCoffer;
let database: TestDatabase;
let proxy: DatabaseProxy;
let folder: Folder;

beforeAll(async () => {
  built = await buildCoffer();
  database = await createDatabase({ migrated: false });
  proxy = await proxyTo(database.url);
  folder = await built.emptyFolder({ COFFER_DATABASE_URL: proxy.url });
});
afterAll(async () => {
  await built.remove();
  await proxy.close();
  await database.drop();
});

async function refusal(env: Record<string, string> = {}): Promise<string> {
  const ended: Ended = await folder.serve(env).end();
  expect(ended.code).toBe(78);
  expect(ended.stderr).not.toMatch(/^ {4}at /m);
  return ended.stderr;
}

it('is set up by hand, and a server says at each step which command comes next', async () => {
  expect(await refusal()).toContain('Run: coffer migrate');
  expect(await folder.run(['migrate'])).toMatchObject({ code: 0 });
  expect(await refusal()).toContain('coffer keyring create');
  expect(existsSync(folder.keyring)).toBe(false);
  expect(await folder.run(['keyring', 'create'])).toMatchObject({ code: 0 });
  expect(await refusal()).toContain('coffer bootstrap');
  expect(existsSync(folder.openrc)).toBe(false);
  expect(await folder.run(['bootstrap'])).toMatchObject({ code: 0 });
  const server = folder.serve();
  await server.ready();
  expect(server.stderr).not.toContain('private PostgreSQL');
  const token = await logInByOpenrc(folder.openrc);
  expect((await storeText(folder.url, token, 'on a database of the operator')).status).toBe(201);
  expect(await server.stop()).toMatchObject({ code: 0 });
  expect(existsSync(join(folder.data, 'postgres'))).toBe(false);
  expect((await folder.run(['bootstrap'])).code).toBe(6);
});

it('refuses a database whose schema is behind, and does not migrate it by surprise', async () => {
  const behind = await createDatabase({ migrated: false });
  const env = { COFFER_DATABASE_URL: behind.url };
  expect(await refusal(env)).toContain('Run: coffer migrate');
  expect((await folder.run(['migrate', 'status'], { env })).code).toBe(78);
  await behind.drop();
});

it('says which database cannot be reached, and never its password', async () => {
  const url = 'postgresql://coffer:pass-that-is-secret@127.0.0.1:1/coffer';
  const ended = await folder.serve({ COFFER_DATABASE_URL: url }).end();
  expect(ended.code).toBe(8);
  expect(ended.stderr).toContain('database is not available');
  expect(ended.stdout + ended.stderr).not.toContain('pass-that-is-secret');
});

it('is not ready while its database is away, refuses with 503, and is ready again by itself', async () => {
  const server = folder.serve();
  await server.ready();
  const token = await logInByOpenrc(folder.openrc);
  const reference = (await storeText(folder.url, token, 'kept')).json.secret_ref;
  const asked = [
    async () => await ask(`${folder.url}/health/ready`),
    async () => await ask(`${folder.url}/v1/secrets`, { token }),
    async () => await readPayload(folder.url, token, reference),
    async () => await storeText(folder.url, token, 'not now'),
    async () => await ask(`${folder.url}/identity/v3/auth/projects`, { token }),
  ];
  expect((await asked[0]!()).status).toBe(200);
  for (const [away, pauses] of [
    ['cut', [0, 11_000]],
    ['swallow', [0]],
  ] as const) {
    proxy[away]();
    // Long enough for the rights and revocations that are remembered to be too old.
    for (const pause of pauses) {
      await sleep(pause);
      const answers = await Promise.all(asked.map(async (one) => await one()));
      expect(answers.map(({ status }) => status)).toEqual(Array(asked.length).fill(503));
      expect(answers.filter(({ headers }) => headers.get('retry-after') === null)).toEqual([]);
      expect((await ask(`${folder.url}/health/live`)).status).toBe(200);
    }
    proxy.restore();
    await expect.poll(async () => (await asked[0]!()).status, { timeout: 10_000 }).toBe(200);
    await expect
      .poll(async () => (await readPayload(folder.url, token, reference)).text, { timeout: 10_000 })
      .toBe('kept');
  }
  expect(await server.stop()).toMatchObject({ code: 0 });
}, 120_000);

it('ends on SIGTERM while its database is away', async () => {
  const server = folder.serve();
  await server.ready();
  proxy.swallow();
  const begun = performance.now();
  await server.stop();
  expect(performance.now() - begun).toBeLessThan(25_000);
  proxy.restore();
});

it('speaks HTTPS with a certificate, and no longer HTTP', async () => {
  const files = { certificate: join(folder.path, 'server.pem'), key: join(folder.path, 'server.key') };
  await writeFile(files.certificate, one.cert);
  await writeFile(files.key, one.key, { mode: 0o600 });
  const env = { COFFER_TLS_CERTIFICATE_FILE: files.certificate, COFFER_TLS_KEY_FILE: files.key };
  const server = folder.serve(env);
  await server.ready();
  expect(server.stderr).toContain(`https://127.0.0.1:${folder.port}`);
  const answered = await new Promise<{ status: number | undefined; hsts: string | undefined }>(
    (resolve, reject) => {
      const options = { ca: one.cert, servername: 'localhost' };
      request(`https://127.0.0.1:${folder.port}/health/ready`, options, (response) => {
        response.resume();
        resolve({ status: response.statusCode, hsts: response.headers['strict-transport-security'] });
      })
        .on('error', reject)
        .end();
    },
  );
  expect(answered).toEqual({ status: 200, hsts: expect.stringContaining('max-age=') });
  await expect(ask(`${folder.url}/health/live`)).rejects.toThrow();
  expect(await server.stop()).toMatchObject({ code: 0 });
  await rm(files.key);
  expect(await refusal(env)).toContain('COFFER_TLS_KEY_FILE');
});
