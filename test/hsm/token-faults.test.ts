import { rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import { createPkcs11Backend } from '../../src/keyring/pkcs11/pkcs11-backend.ts';
import { rounds } from '../harness/rounds.ts';
import { FAULT_NAMES, faultsOf } from './faults.ts';
import { buildSabotagedToken } from './sabotage.ts';
import { connect, type SoftHsm, startSoftHsm } from './soft-token.ts';

const CONTEXT = Buffer.from('a context');
const masterKey = 'mk-1';
let hsm: SoftHsm;
let pinFile: string;
let childFile: string;

beforeAll(async () => {
  hsm = await startSoftHsm();
  ({ pinFile } = await hsm.makeToken('faulty'));
  childFile = resolve('dist/sabotaged-token.js');
  await buildSabotagedToken(childFile);
  const client = connect(hsm, 'faulty', pinFile);
  await client.call('makeMasterKey', { label: masterKey });
  client.close();
});

afterAll(async () => await hsm.remove());

const ANSWER_MS_MAX = 2_000;

/** What a call comes to. Its time is that of a timer beside it: a machine that is busy keeps both waiting. */
async function attempt(call: () => Promise<unknown>): Promise<string> {
  const outcome = call().then(
    () => 'done',
    (error: unknown) => (error instanceof CofferError ? error.code : String(error)),
  );
  return await Promise.race([outcome, wait(ANSWER_MS_MAX, 'too late', { ref: false })]);
}

async function expectWellWithin(ms: number, call: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  for (;;) {
    const outcome = await attempt(call);
    if (outcome === 'done') return;
    expect([outcome, performance.now() - started < ms]).toEqual(['unavailable', true]);
    await wait(50);
  }
}

for (const mode of ['cached', 'strict'] as const) {
  describe(`in ${mode} mode`, () => {
    it.for(FAULT_NAMES)(
      'answers in time and is well again within 5 s when %s',
      { timeout: 600_000 },
      async (name) => {
        const fault = faultsOf(hsm).get(name);
        const client = connect(hsm, 'faulty', pinFile, { childFile });
        const backend = createPkcs11Backend({ store: 'hsm', mode, masterKey, client });
        const { wrapped, kek } = await backend.createKek(masterKey, CONTEXT);
        const inner = await kek.wrap(Buffer.alloc(32, 9), CONTEXT);
        const use = async (): Promise<void> => {
          const again = await backend.openKek(masterKey, wrapped, CONTEXT);
          expect(Buffer.from(await again.unwrap(inner, CONTEXT))).toEqual(Buffer.alloc(32, 9));
          again.close();
        };
        for (let round = 0; round < rounds(50); round += 1) {
          await use();
          const mend = await fault?.(() => client.pid);
          expect(['done', 'unavailable']).toContain(await attempt(use));
          // What is open already, is: in cached mode the token is not asked for it.
          if (mode === 'cached') await kek.unwrap(inner, CONTEXT);
          await mend?.();
          await expectWellWithin(5_000, use);
        }
        kek.close();
        backend.close();
      },
    );
  });
}

it('tries a wrong PIN twice in all, half a minute apart, and says so', async () => {
  const lines: string[] = [];
  const wrong = join(hsm.folder, 'wrong.pin');
  await writeFile(wrong, 'not the pin\n', { mode: 0o600 });
  let now = 0;
  const client = connect(hsm, 'faulty', wrong, {
    now: () => now,
    log: { info: () => {}, warn: () => {}, error: (line) => lines.push(line) },
  });
  const ask = async (): Promise<unknown> => await client.call('check', { masterKey });
  for (let n = 0; n < 5; n += 1) await expect(ask()).rejects.toMatchObject({ code: 'unavailable' });
  expect(lines).toHaveLength(1);
  now = 31_000;
  await expect(ask()).rejects.toMatchObject({ code: 'unavailable' });
  await expect.poll(() => lines.length).toBe(2);
  for (let n = 0; n < 5; n += 1) await expect(ask()).rejects.toThrow(/correct the file/);
  now = 3_600_000;
  await expect(ask()).rejects.toThrow(/It is not tried again/);
  expect(lines).toHaveLength(2);
  expect(lines.join()).not.toContain('not the pin');
  client.close();
  await rm(wrong);
});
