import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase } from '../../src/db/open.ts';
import { addMasterKey } from '../../src/rotation/master-keys.ts';
import { createReload } from '../../src/rotation/reload-master-keys.ts';
import { createTestDatabase, type TestDatabase } from '../db/test-database.ts';
import { type KeyringFolder, makeKeyringFolder, type Node } from './master-key-stage.ts';

let database: TestDatabase;
let folder: KeyringFolder;
let node: Node;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await makeKeyringFolder();
  node = await folder.open(database.db);
  await database.db.transaction(async (tx) => await node.keyring.bootstrap(tx));
});

afterAll(async () => {
  node.keyring.close();
  await database.drop();
  await folder.remove();
});

it('says that the keys are new ones, though the database does not say which is in use', async () => {
  const lines: string[] = [];
  const db = openDatabase({ connection: database.url });
  const { keyring } = await folder.open(db);
  await addMasterKey(node.parts, { store: 'software', id: 'mk-1' });
  await db.close();
  createReload({ db, keyring, log: pino({}, { write: (line) => void lines.push(line) }) })();
  await expect.poll(() => lines.length, { interval: 5 }).toBe(2);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { msg: 'a keyring was read again', added: ['mk-1'] },
    { msg: 'a keyring was read again; whether it has the master key in use could not be seen' },
  ]);
  expect(await keyring.stores.get('software').listMasterKeys()).toEqual(['mk-0', 'mk-1']);
  keyring.close();
});
