import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPkcs11Backend } from '../../src/keyring/pkcs11/pkcs11-backend.ts';
import { createTestDatabase, type TestDatabase } from '../db/test-database.ts';
import { createBootstrappedKeyring } from '../keyring/test-keyring.ts';
import { connect, type SoftHsm, startSoftHsm } from './soft-token.ts';

const PROJECTS = 500;
/** Each waits for those before it, and a second or two at most. */
const AT_ONCE = 4;
const masterKey = 'mk-1';
let hsm: SoftHsm;
let pinFile: string;

beforeAll(async () => {
  hsm = await startSoftHsm();
  ({ pinFile } = await hsm.makeToken('crowded'));
  const client = connect(hsm, 'crowded', pinFile);
  await client.call('makeMasterKey', { label: masterKey });
  client.close();
});

afterAll(async () => await hsm.remove());

async function inTurn<T, R>(all: readonly T[], use: (one: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let first = 0; first < all.length; first += AT_ONCE) {
    const some = all.slice(first, first + AT_ONCE);
    results.push(...(await Promise.all(some.map(async (one, index) => await use(one, first + index)))));
  }
  return results;
}

describe.each(['cached', 'strict'] as const)('500 projects with a cache of 100 KEKs, in %s mode', (mode) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => await database.drop());

  it('are slower, and never an error', { timeout: 300_000 }, async () => {
    const keyring = await createBootstrappedKeyring(database.db, {
      keksMax: 100,
      wrapBackend: ({ store }) =>
        createPkcs11Backend({ store, mode, masterKey, client: connect(hsm, 'crowded', pinFile) }),
    });
    const ids = Array.from({ length: PROJECTS }, (_, index) => `many-${index}`);
    const sealed = await inTurn(
      ids,
      async (id) => await keyring.seal('secret', await keyring.useProject(id), id, Buffer.from(id)),
    );
    for (let round = 0; round < 2; round += 1) {
      const opened = await inTurn(
        ids,
        async (id, index) => await keyring.open('secret', id, id, sealed[index]!),
      );
      expect(opened.map((payload) => Buffer.from(payload).toString())).toEqual(ids);
    }
    keyring.close();
  });
});
