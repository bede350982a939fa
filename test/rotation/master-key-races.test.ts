import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/open.ts';
import { addMasterKey } from '../../src/rotation/master-keys.ts';
import { retireMasterKey } from '../../src/rotation/master-key-retirement.ts';
import { rotateMasterKey } from '../../src/rotation/master-key-rotation.ts';
import { createTestDatabase, type TestDatabase } from '../db/test-database.ts';
import { interleave } from '../harness/interleave.ts';
import { rounds } from '../harness/rounds.ts';
import {
  type KeyringFolder,
  makeKeyringFolder,
  masterKeysOf,
  type Node,
  unwatched,
} from './master-key-stage.ts';

const store = 'software';

let database: TestDatabase;
let folder: KeyringFolder;
let [one, two]: [Db, Db] = [undefined as never, undefined as never];
let operator: Node;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await makeKeyringFolder();
  [one, two] = [database.open(), database.open()];
  operator = await folder.open(one);
  await one.transaction(async (tx) => await operator.keyring.bootstrap(tx));
});

afterAll(async () => {
  operator.keyring.close();
  await database.drop();
  await folder.remove();
});

/** Everything opens by the file as it is: no KEK was made under a key that is gone. */
async function expectNothingLost(active: string): Promise<void> {
  const masterKeys = await masterKeysOf(database.db);
  const others = Object.entries(masterKeys).filter(([, id]) => id !== active);
  expect(others).toEqual([]);
  const fresh = await folder.open(database.db);
  try {
    for (const place of Object.keys(masterKeys)) {
      const [project = '', epoch = '0'] = place.split('/');
      await fresh.keyring.withRowsKey(project, BigInt(epoch), () => 1);
    }
  } finally {
    fresh.keyring.close();
  }
}

describe('a server that still has the old master key as the active one', () => {
  it('makes no KEK under it that a retirement would not see, however they interleave', async () => {
    const interleaved = interleave([one.pool, two.pool]);
    for (let seed = 1; seed <= rounds(200); seed += 1) {
      const [old, next] = [`mk-${seed - 1}`, `mk-${seed}`];
      const behind = await folder.open(two, await folder.copy());
      await behind.keyring.useProject(`before-${seed}`);
      await addMasterKey(operator.parts, { store, id: next });
      const outcomes = await interleaved.run<unknown>(seed, [
        async () => {
          await rotateMasterKey(operator.parts, { store, to: next }, unwatched);
          await retireMasterKey(operator.parts, { store, id: old });
        },
        async () => await behind.keyring.useProject(`meanwhile-${seed}`),
        async () => {
          const project = await behind.keyring.useProject(`before-${seed}`);
          await behind.keyring.startEpoch(project, undefined, async () => {});
        },
      ]);
      for (const outcome of outcomes.slice(1)) {
        // It has not got the new key: then it says so, and makes none.
        if (outcome.status === 'rejected') expect(outcome.reason, `seed ${seed}`).toMatchObject(REFUSED);
      }
      expect(outcomes[0], `seed ${seed}`).toMatchObject({ status: 'fulfilled' });
      await expectNothingLost(next);
      behind.keyring.close();
      // Or each round would have to move those of all before it.
      for (const table of ['keks', 'projects']) {
        const id = table === 'keks' ? 'project_id' : 'id';
        await database.db.query({ text: `DELETE FROM ${table} WHERE ${id} <> 'system'` });
      }
    }
  }, 120_000);
});

/** Without the key in use it makes none; or what it read was changed before it wrote. */
const REFUSED = expect.toSatisfy(
  (error: Error & { code?: string }) => error.code === 'unavailable' || error.name === 'StaleRow',
) as object;
