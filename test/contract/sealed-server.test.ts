import { pino } from 'pino';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import type { SealedServer } from '../../src/custody/sealed-server.ts';
import { formatShare, type Share } from '../../src/keyring/shares.ts';
import { type SplitKeyring, splitKeyring } from '../../src/keyring/split-keyring.ts';
import { waitSealed } from '../../src/server.ts';
import { LINES } from './authorization-matrix-lines.ts';
import { type Client, rawClient } from './raw-http.ts';

// Every route of the server, of a server that is sealed; and how it opens.

const CONTENT = Buffer.from(`installation ${'ab'.repeat(16)}\nkey mk-1 ${'c0ffee'.repeat(10)}cafe active\n`);

let keyring: SplitKeyring;
let shares: string[];
let logged: string;
let sealed: SealedServer | undefined;

beforeAll(() => {
  const of = { path: './keys', installationId: Buffer.alloc(16, 0xab) };
  const made = splitKeyring(of, { threshold: 3, count: 5 }, CONTENT);
  keyring = made.keyring;
  shares = made.shares.map(written);
});
afterEach(async () => await sealed?.close());

const written = (share: Share): string => formatShare(share).toString('ascii');

async function start(): Promise<Client> {
  logged = '';
  const { config } = loadConfig({ flags: {}, env: {}, cwd: '/nowhere' });
  const log = pino({ level: 'trace' }, { write: (line: string) => void (logged += line) });
  sealed = await waitSealed({ ...config, listen: { host: '127.0.0.1', port: 0 } }, [keyring], log);
  return rawClient(sealed.address, undefined);
}

const PATH = '/v2/sys/unseal';
const PROBES = ['/health/live', '/health/ready', '/healthcheck'];
const OPEN = [...PROBES.flatMap((path) => [`GET ${path}`, `HEAD ${path}`]), `GET ${PATH}`, `POST ${PATH}`];

describe('a sealed server', () => {
  it('answers 503 at every route, says that it is sealed and what to do, and reads no token', async () => {
    const client = await start();
    const closed = Object.keys(LINES).filter((route) => !OPEN.includes(route));
    expect(closed.length).toBeGreaterThan(100);
    for (const route of [...closed, 'GET /v2/sys', 'GET /nothing', 'PUT /health/live', `DELETE ${PATH}`]) {
      const [method = '', path = ''] = route.split(' ');
      const { status, headers, text } = await client.send(method, path.replace(/\{\w+\}/g, 'x'), {
        headers: { 'x-auth-token': 'whatever', accept: undefined },
      });
      expect([route, status, headers['retry-after']]).toEqual([route, 503, '30']);
      expect([headers['x-openstack-request-id'], headers['content-type']]).toEqual([
        expect.stringMatching(/^req-/),
        'application/json',
      ]);
      if (method === 'HEAD') continue;
      const body = JSON.parse(text);
      const { code, title, description } = path.startsWith('/identity')
        ? { ...body.error, description: body.error.message }
        : body;
      expect([code, title]).toEqual([503, 'Service Unavailable']);
      expect(description).toContain('sealed: its keyring needs 3 shares, and has 0');
      expect(description).toContain('coffer unseal');
    }
    expect(logged).toBe('');
  });

  it('is alive and not ready, and out of a balancer', async () => {
    const client = await start();
    const asked = PROBES.map(async (path) => {
      const { status, text } = await client.get(path, { headers: { accept: 'text/plain' } });
      expect(await client.send('HEAD', path)).toMatchObject({ status, text: '' });
      return [status, text];
    });
    expect(await Promise.all(asked)).toEqual([
      [200, '{"status":"live"}'],
      [503, '{"status":"not ready","reason":"sealed"}'],
      [503, 'SEALED'],
    ]);
  });

  it('counts shares, opens with the last that is needed, and answers it when it serves', async () => {
    const client = await start();
    const keys = sealed!.unsealing.keys();
    expect((await client.get(PATH)).json).toEqual({ sealed: true, threshold: 3, given: 0 });
    for (const [index, share] of [shares[3]!, shares[0]!].entries()) {
      const { status, json } = await client.post(PATH, { share });
      expect([status, json]).toEqual([200, { sealed: true, threshold: 3, given: index + 1 }]);
    }
    const last = client.post(PATH, { share: shares[4] });
    const [key = new Uint8Array()] = (await keys).values();
    expect(Buffer.from(key)).not.toEqual(Buffer.alloc(32));
    const another = client.post(PATH, { share: shares[1] });
    sealed!.unsealing.announceServed();
    for (const { status, json } of [await last, await another]) {
      expect([status, json]).toEqual([200, { sealed: false }]);
    }
  });

  it('tells wrong shares apart, and shows nothing of them in answers and log', async () => {
    const client = await start();
    await client.post(PATH, { share: shares[0] });
    const [one = '', two = ''] = shares;
    const foreign = splitKeyring({ ...keyring, path: '' }, { threshold: 2, count: 2 }, CONTENT).shares[0]!;
    const mistyped = `${two.slice(0, -1)}${two.endsWith('7') ? '8' : '7'}`;
    const answers: string[] = [];
    for (const [share, why] of [
      [one, 'Share 1 was given already'],
      [written(foreign), 'of another keyring, or of an earlier split'],
      [mistyped, 'mistyped or cut'],
      [two.slice(15), 'begins with coffer-share-1-'],
      ['', 'begins with'],
      [two.repeat(9), 'mistyped or cut'],
    ]) {
      const { status, json, text } = await client.post(PATH, { share });
      expect([status, json.title, json.description]).toEqual([
        400,
        'Bad Request',
        expect.stringContaining(why!),
      ]);
      answers.push(text);
    }
    expect((await client.get(PATH)).json).toMatchObject({ given: 1 });
    // Whole words for one group: within an id or a time its six digits may stand by chance.
    const shown = (answers.join() + logged).toLowerCase();
    const words = new Set(shown.split(/[^0-9a-z]+/));
    for (const share of [one, two, written(foreign)]) {
      const groups = share.slice(15).split('-');
      for (const [index, group] of groups.entries()) {
        expect(words).not.toContain(group);
        const next = groups[index + 1];
        if (next !== undefined) expect(shown.replaceAll('-', '')).not.toContain(group + next);
      }
    }
    expect(logged.match(/"msg":"a share was refused"/g)).toHaveLength(6);
  });

  it.each([
    [{ share: 1 }, 400],
    [{ share: 'x', more: 1 }, 400],
    [['share'], 400],
    [null, 400],
    [{ share: 'x'.repeat(2_000) }, 413],
  ])('refuses a body that is not the share alone: %#', async (body, expected) => {
    const { status } = await (await start()).post(PATH, body);
    expect(status).toBe(expected);
  });

  it('drops all shares when they do not open the keyring, says so, and begins again', async () => {
    const client = await start();
    const forged = written({
      ...splitKeyring({ ...keyring, path: '' }, keyring, CONTENT).shares[1]!,
      setId: keyring.setId,
    });
    await client.post(PATH, { share: shares[0] });
    await client.post(PATH, { share: forged });
    const { status, json } = await client.post(PATH, { share: shares[2] });
    expect([status, json.description]).toEqual([
      400,
      expect.stringContaining('All were dropped: begin again'),
    ]);
    expect((await client.get(PATH)).json).toEqual({ sealed: true, threshold: 3, given: 0 });
    expect(logged).toContain('"dropped":true');
    const keys = sealed!.unsealing.keys();
    sealed!.unsealing.announceServed();
    for (const share of shares.slice(0, 3)) expect((await client.post(PATH, { share })).status).toBe(200);
    expect((await keys).size).toBe(1);
  });

  it('takes so many attempts of an address in a minute, and no more', async () => {
    const client = await start();
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 61; attempt += 1) {
      statuses.push((await client.post(PATH, { share: '' })).status);
    }
    expect([new Set(statuses.slice(0, 60)), statuses[60]]).toEqual([new Set([400]), 429]);
  });

  it('tells whoever gave the last share when the start failed', async () => {
    const client = await start();
    for (const share of shares.slice(0, 2)) await client.post(PATH, { share });
    const last = client.post(PATH, { share: shares[2] });
    await sealed!.unsealing.keys();
    await sealed!.close();
    const { status, json } = await last;
    expect([status, json.description]).toEqual([503, expect.stringContaining('its log says why')]);
  });
});
