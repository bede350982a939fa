import { statSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, logInByOpenrc, readPayload, storeText } from './ask.ts';
import { type BuiltCoffer, buildCoffer, type Folder } from './built-coffer.ts';

let built: BuiltCoffer;
let folder: Folder;

beforeAll(async () => {
  built = await buildCoffer();
  folder = await built.emptyFolder();
});
afterAll(async () => {
  await built.remove();
});

const modeOf = (path: string): number => statSync(path).mode & 0o777;

it('makes data, keyring and administrator in an empty folder, and says where they are', async () => {
  const server = folder.serve();
  const milliseconds = await server.ready();
  console.info(`first start: ${milliseconds.toFixed(0)} ms`);
  expect(modeOf(folder.keyring)).toBe(0o600);
  expect(modeOf(folder.openrc)).toBe(0o600);
  await expect.poll(() => server.stderr).toContain('coffer secret get');
  for (const said of [folder.url, folder.data, folder.keyring, folder.openrc, 'loses every secret']) {
    expect(server.stderr).toContain(said);
  }
  const token = await logInByOpenrc(folder.openrc);
  const stored = await storeText(folder.url, token, 'a first secret');
  expect(stored.status).toBe(201);
  const read = await readPayload(folder.url, token, stored.json.secret_ref);
  expect([read.status, read.text]).toEqual([200, 'a first secret']);
  expect(await server.stop()).toMatchObject({ code: 0 });
  expect(folder.postgresPids()).toEqual([]);
});

it('starts quickly on what is there, and says nothing of a new keyring', async () => {
  const server = folder.serve();
  const milliseconds = await server.ready();
  console.info(`second start: ${milliseconds.toFixed(0)} ms`);
  // Nothing is waited for: a lock, or a recovery, would be for longer.
  expect(milliseconds).toBeLessThan(15_000);
  expect(server.stderr).not.toContain('loses every secret');
  await logInByOpenrc(folder.openrc);
  expect((await ask(`${folder.url}/health/ready`)).status).toBe(200);
  await server.stop();
});

it('refuses a second server on the same data at once, and names the one that runs', async () => {
  const first = folder.serve();
  await first.ready();
  const begun = performance.now();
  const second = await folder.serve({ COFFER_LISTEN: '127.0.0.1:1' }).end();
  // A command would wait for half a minute.
  expect(performance.now() - begun).toBeLessThan(15_000);
  expect(second.code).toBe(78);
  expect(second.stderr).toContain(`pid ${first.pid}`);
  expect((await ask(`${folder.url}/health/ready`)).status).toBe(200);
  await first.stop();
});

it('says that a port is in use, with exit code 78, and leaves nothing running', async () => {
  const first = folder.serve();
  await first.ready();
  const other = await built.emptyFolder({ COFFER_LISTEN: `127.0.0.1:${folder.port}` });
  const refused = await other.serve().end();
  expect(refused.code).toBe(78);
  expect(refused.stderr).toContain(`127.0.0.1:${folder.port} is in use`);
  expect(refused.stderr).not.toContain('    at ');
  expect(other.postgresPids()).toEqual([]);
  await first.stop();
});

it('serves metrics when they are asked for, and not otherwise', async () => {
  const plain = folder.serve();
  await plain.ready();
  expect((await ask(`${folder.url}/metrics`)).status).toBe(404);
  await plain.stop();
  const measured = folder.serve({ COFFER_METRICS: '1' });
  await measured.ready();
  await ask(`${folder.url}/health/live`);
  const { status, text } = await ask(`${folder.url}/metrics`);
  expect(status).toBe(200);
  expect(text).toContain('coffer_requests_total{method="GET",route="/health/live",status="200"} 1');
  expect(text).toContain('coffer_integrity_violations_total');
  await measured.stop();
});

it('believes every request without authentication only on loopback, and warns at each start', async () => {
  for (const _ of ['once', 'again']) {
    const server = folder.serve({ COFFER_NOAUTH: '1' });
    await server.ready();
    await expect.poll(() => server.stderr).toContain('WARNING: COFFER_NOAUTH=1');
    const headers = { 'x-project-id': 'anyone', 'x-roles': 'creator' };
    expect((await ask(`${folder.url}/v1/secrets`, { headers })).status).toBe(200);
    await server.stop();
  }
  const env = { COFFER_NOAUTH: '1', COFFER_LISTEN: `0.0.0.0:${folder.port}`, COFFER_PUBLIC_URL: folder.url };
  const refused = await folder.serve(env).end();
  expect(refused.code).toBe(78);
  expect(refused.stderr).toContain('COFFER_NOAUTH');
  const server = folder.serve();
  await server.ready();
  const asked = await ask(`${folder.url}/v1/secrets`, { headers: { 'x-project-id': 'anyone' } });
  expect(asked.status).toBe(401);
  await server.stop();
});
