import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { CofferError, PinRefused } from '../../src/errors.ts';
import type { TokenClient, TokenClientOptions } from '../../src/keyring/pkcs11/token-client.ts';
import { LOGIN_HARM, LOGINS } from './faults.ts';
import { buildSabotagedToken } from './sabotage.ts';
import { connect, type SoftHsm, startSoftHsm } from './soft-token.ts';

// How often a token is shown a PIN that may be wrong: it locks itself after a few.

const masterKey = 'mk-1';
let hsm: SoftHsm;
let pinFile: string;
let childFile: string;
let client: TokenClient | undefined;
let errors: string[];

beforeAll(async () => {
  hsm = await startSoftHsm();
  ({ pinFile } = await hsm.makeToken('guarded'));
  childFile = resolve('dist/token-of-log-ins.js');
  await buildSabotagedToken(childFile);
  const first = connect(hsm, 'guarded', pinFile);
  await first.call('makeMasterKey', { label: masterKey });
  first.close();
});

afterEach(async () => {
  client?.close();
  for (const name of [LOGIN_HARM, LOGINS]) await rm(join(hsm.folder, name), { force: true });
});

afterAll(async () => await hsm.remove());

function start(options: Partial<TokenClientOptions> = {}, pin = pinFile): TokenClient {
  errors = [];
  const log = { info: () => {}, warn: () => {}, error: (line: string) => void errors.push(line) };
  client = connect(hsm, 'guarded', pin, { childFile, log, ...options });
  return client;
}

const harm = async (what: string): Promise<void> => await writeFile(join(hsm.folder, LOGIN_HARM), what);

function countLogins(): number {
  const file = join(hsm.folder, LOGINS);
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}

const check = async (asked: TokenClient): Promise<null> => await asked.call('check', { masterKey });

it.each([
  ['is not answered in time', 'stall', /did not say whether the PIN in .* is right/],
  ['ends the process', 'crash', /did not say whether the PIN in .* is right/],
  ['is answered with CKR_FUNCTION_FAILED', 'CKR_FUNCTION_FAILED', /did not say whether/],
  ["is answered with a code of the vendor's", 'CKR_VENDOR_DEFINED', /did not say whether/],
  ['is answered with CKR_PIN_LOCKED', 'CKR_PIN_LOCKED', /CKR_PIN_LOCKED.*Set the PIN anew/],
  ['is answered with CKR_PIN_EXPIRED', 'CKR_PIN_EXPIRED', /CKR_PIN_EXPIRED.*Set the PIN anew/],
  ['is answered that there is no PIN', 'CKR_USER_PIN_NOT_INITIALIZED', /Set the PIN anew/],
])('tries a first log-in twice in all, half a minute apart, when it %s', async (_, what, message) => {
  await harm(what);
  let now = 0;
  const asked = start({ now: () => now });
  await expect(check(asked)).rejects.toBeInstanceOf(PinRefused);
  expect(errors).toEqual([expect.stringMatching(message)]);
  now = 29_000;
  await expect(check(asked)).rejects.toMatchObject({ code: 'unavailable' });
  expect([countLogins(), errors.length]).toEqual([1, 1]);
  now = 31_000;
  // A first answer is waited for; who asks later is told in time, whatever comes of it.
  await expect(check(asked)).rejects.toThrow(what === 'stall' ? /did not answer in time/ : CofferError);
  await expect.poll(() => errors[1]).toMatch(/It is not tried again/);
  now = 3_600_000;
  await expect(check(asked)).rejects.toThrow(/It is not tried again/);
  expect([countLogins(), errors.length]).toEqual([2, 2]);
});

it('holds no log-in without an answer against a PIN that it has logged in with, however often', async () => {
  const asked = start();
  await check(asked);
  await harm('crash');
  process.kill(asked.pid ?? 0, 'SIGKILL');
  await expect.poll(countLogins).toBeGreaterThan(3);
  await rm(join(hsm.folder, LOGIN_HARM));
  await expect.poll(async () => await check(asked)).toBe(null);
  expect(errors).toEqual([]);
});

it.each([
  ['its file has changed', async () => await writeFile(pinFile, await readFile(pinFile), { mode: 0o600 })],
  [
    'the token knows of a wrong one',
    async () => {
      const file = join(hsm.folder, 'wrong.pin');
      await writeFile(file, 'not the pin\n', { mode: 0o600 });
      const stranger = connect(hsm, 'guarded', file);
      await expect(check(stranger)).rejects.toBeInstanceOf(PinRefused);
      stranger.close();
    },
  ],
])(
  'takes a log-in without an answer for a refusal of a PIN that it has logged in with, once %s',
  async (_, change) => {
    const asked = start();
    await check(asked);
    await change();
    await harm('crash');
    const before = countLogins();
    process.kill(asked.pid ?? 0, 'SIGKILL');
    await expect.poll(() => errors).toEqual([expect.stringMatching(/did not say whether/)]);
    expect(countLogins()).toBe(before + 1);
  },
);
