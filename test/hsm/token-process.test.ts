import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import { createPkcs11Backend } from '../../src/keyring/pkcs11/pkcs11-backend.ts';
import type { TokenClient, TokenClientOptions } from '../../src/keyring/pkcs11/token-client.ts';
import { faultsOf, LOST_FOOTING, SENT_KEYS } from './faults.ts';
import { buildSabotagedToken } from './sabotage.ts';
import { connect, type SoftHsm, startSoftHsm } from './soft-token.ts';

const CONTEXT = Buffer.from('a context');
const masterKey = 'mk-1';
const failed = 'The token answered CKR_VENDOR_DEFINED.';
let hsm: SoftHsm;
let pinFile: string;
let childFile: string;
let client: TokenClient | undefined;

beforeAll(async () => {
  hsm = await startSoftHsm();
  ({ pinFile } = await hsm.makeToken('watched'));
  childFile = resolve('dist/watched-token.js');
  await buildSabotagedToken(childFile);
  const first = start();
  await first.call('makeMasterKey', { label: masterKey });
  first.close();
});

afterEach(async () => {
  client?.close();
  await rm(join(hsm.folder, LOST_FOOTING), { force: true });
});

afterAll(async () => await hsm.remove());

function start(options: Partial<TokenClientOptions> = {}): TokenClient {
  client = connect(hsm, 'watched', pinFile, { childFile, ...options });
  return client;
}

const check = async (asked: TokenClient): Promise<string> =>
  await asked.call('check', { masterKey }).then(
    () => 'done',
    (error: unknown) => (error instanceof CofferError ? error.message : String(error)),
  );

it.each(['its sessions are closed', 'the library is finalized'])(
  'asks the next process, and not the one that ends, what failed because %s',
  async (name) => {
    let now = 1;
    const asked = start({ now: () => now });
    expect(await check(asked)).toBe('done');
    // It has lived well: the next one begins at once.
    now = 10_000;
    const pid = asked.pid;
    await faultsOf(hsm).get(name)?.(() => pid);
    // On a busy machine the next one may come too late for who asked, but then it is on its way.
    expect(['done', 'The token did not answer in time; try again.']).toContain(await check(asked));
    expect(asked.pid).not.toBe(pid);
  },
);

it('starts a process anew that answers with codes it does not know and nothing else, and not too often', async () => {
  let now = 1;
  const asked = start({ now: () => now });
  const fail = async (times: number): Promise<void> => {
    for (let n = 0; n < times; n += 1) expect(await check(asked)).toBe(failed);
  };
  expect(await check(asked)).toBe('done');
  const first = asked.pid;
  await writeFile(join(hsm.folder, LOST_FOOTING), '');
  await fail(5);
  now = 60_000;
  for (let n = 0; n < 3; n += 1) {
    expect(await asked.call('listMasterKeys', null)).toEqual([masterKey]);
    await fail(2);
  }
  expect(asked.pid).toBe(first);
  await fail(1);
  await expect.poll(async () => [await check(asked), asked.pid !== first]).toEqual([failed, true]);
  // Anew once to no avail, it gets twice the time.
  const second = asked.pid;
  now = 65_000;
  await fail(5);
  expect(asked.pid).toBe(second);
  await rm(join(hsm.folder, LOST_FOOTING));
  now = 67_000;
  await fail(1);
  await expect.poll(async () => await check(asked)).toBe('done');
});

it.each(['cached', 'strict'] as const)('keeps no key that it sent or encrypted, in %s mode', async (mode) => {
  const asked = start();
  const backend = createPkcs11Backend({ store: 'hsm', mode, masterKey, client: asked });
  const file = join(hsm.folder, SENT_KEYS);
  await rm(file, { force: true });
  const { wrapped, kek } = await backend.createKek(masterKey, CONTEXT);
  const again = await backend.openKek(masterKey, wrapped, CONTEXT);
  const inner = await kek.wrap(Buffer.alloc(32, 9), CONTEXT);
  expect(Buffer.from(await again.unwrap(inner, CONTEXT))).toEqual(Buffer.alloc(32, 9));
  // Key or reference, what it was encrypted to and from; the one that was opened; wrapped; unwrapped.
  const expected = mode === 'cached' ? ['3 0', '1 0'] : ['3 0', '1 0', '2 0', '1 0'];
  const read = async (): Promise<string[]> =>
    existsSync(file) ? (await readFile(file, 'utf8')).trim().split('\n') : [];
  await expect.poll(read).toEqual(expected);
});
