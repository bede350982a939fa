import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { createPkcs11Backend } from '../../src/keyring/pkcs11/pkcs11-backend.ts';
import type { TokenClient } from '../../src/keyring/pkcs11/token-client.ts';
import { createTestDatabase, type TestDatabase } from '../db/test-database.ts';
import { createBootstrappedKeyring } from '../keyring/test-keyring.ts';
import { faultsOf } from './faults.ts';
import { connect, type SoftHsm, startSoftHsm } from './soft-token.ts';

// Keys in a token that is away, beside a store that is not.

const ANSWER_MS_MAX = 2_000;
const masterKey = 'mk-1';
let hsm: SoftHsm;
let pinFile: string;

beforeAll(async () => {
  hsm = await startSoftHsm();
  ({ pinFile } = await hsm.makeToken('away'));
  const client = connect(hsm, 'away', pinFile);
  await client.call('makeMasterKey', { label: masterKey });
  client.close();
});

afterAll(async () => await hsm.remove());

/** What a call fails with, timed by a timer beside it: a machine that is busy keeps both waiting. */
async function failureOf(call: () => Promise<unknown>): Promise<unknown> {
  const failure = call().then(
    () => 'done',
    (error: unknown) => (error as Error).name,
  );
  return await Promise.race([failure, wait(ANSWER_MS_MAX, 'too late', { ref: false })]);
}

describe.each(['cached', 'strict'] as const)('a KEK of a token, in %s mode,', (mode) => {
  let database: TestDatabase;
  let client: TokenClient;
  let keyring: Keyring;

  beforeAll(async () => {
    database = await createTestDatabase();
    client = connect(hsm, 'away', pinFile);
    const token = createPkcs11Backend({ store: 'hsm', mode, masterKey, client });
    keyring = await createBootstrappedKeyring(database.db, {
      storeNames: ['main', 'hsm'],
      wrapBackend: (backend) => (backend.store === 'hsm' ? token : backend),
    });
  });

  afterAll(async () => {
    keyring.close();
    await database.drop();
  });

  it('that is not open is said to be away within 2 s, and what is written may go elsewhere', async ({
    annotate,
  }) => {
    await keyring.preferStore(await keyring.ensureProject('shop'), 'hsm');
    const project = await keyring.useProject('shop');
    const sealed = await keyring.seal('secret', project, 'owner', Buffer.from('text'));
    const open = async () => await keyring.open('secret', 'shop', 'owner', sealed);
    const faults = faultsOf(hsm);
    const putBack = await faults.get('the token is taken out and put back')?.(() => client.pid);
    // Nothing takes longer to be told than a token that does not answer at all.
    await faults.get('the child hangs')?.(() => client.pid);
    const took: number[] = [];
    for (const call of [open, async () => await keyring.useProject('shop')]) {
      keyring.forgetKeys('shop');
      const begun = performance.now();
      expect(await failureOf(call)).toBe('StoreAway');
      took.push(Math.round(performance.now() - begun));
    }
    await keyring.preferStore(await keyring.ensureProject('shop'), 'main');
    expect((await keyring.useProject('shop')).active_epoch).toBe(sealed.epoch + 1n);
    await annotate(`said to be away after ${took.join(' and ')} ms`);
    await putBack?.();
    await expect.poll(async () => Buffer.from(await open()), { interval: 50 }).toEqual(Buffer.from('text'));
  });
});
