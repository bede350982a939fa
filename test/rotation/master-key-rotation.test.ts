import { appendFile, copyFile, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/open.ts';
import type { PayloadColumns } from '../../src/keyring/keyring.ts';
import { addMasterKey, describeMasterKeys } from '../../src/rotation/master-keys.ts';
import { retireMasterKey } from '../../src/rotation/master-key-retirement.ts';
import { rotateMasterKey } from '../../src/rotation/master-key-rotation.ts';
import { createTestDatabase, type TestDatabase } from '../db/test-database.ts';
import { FAULTS, failCallsOf } from '../faults/failing-calls.ts';
import { rounds } from '../harness/rounds.ts';
import {
  type KeyringFolder,
  makeKeyringFolder,
  masterKeysOf,
  type Node,
  unwatched,
} from './master-key-stage.ts';

const PROJECTS = Array.from({ length: 10 }, (_, index) => `project-${index}`);
const store = 'software';

let database: TestDatabase;
let folder: KeyringFolder;
let node: Node;
const sealed = new Map<string, PayloadColumns>();
/** Every test's master keys are its own: none comes twice. */
let last = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await makeKeyringFolder();
  node = await folder.open(database.db);
  await database.db.transaction(async (tx) => await node.keyring.bootstrap(tx));
  for (const id of PROJECTS) {
    const project = await node.keyring.useProject(id);
    sealed.set(id, await node.keyring.seal('secret', project, 'owner', Buffer.from(`payload of ${id}`)));
  }
});

afterAll(async () => {
  node.keyring.close();
  await database.drop();
  await folder.remove();
});

async function addNext(): Promise<string> {
  last += 1;
  await addMasterKey(node.parts, { store, id: `mk-${last}` });
  return `mk-${last}`;
}

/** By a server that has opened nothing yet. */
async function readAll(): Promise<string[]> {
  const fresh = await folder.open(database.db);
  try {
    return await Promise.all(
      [...sealed].map(async ([id, columns]) =>
        Buffer.from(await fresh.keyring.open('secret', id, 'owner', columns)).toString(),
      ),
    );
  } finally {
    fresh.keyring.close();
  }
}

const payloads = PROJECTS.map((id) => `payload of ${id}`);
const used = async (): Promise<string[]> => [...new Set(Object.values(await masterKeysOf(database.db)))];
const states = async () =>
  Object.fromEntries(
    (await describeMasterKeys(node.parts, store)).map(({ id, state, keks }) => [id, [state, keks]]),
  );

describe('the rotation of a master key', () => {
  it('moves every KEK, that of the system too, and nothing else', async () => {
    const snapshot = async () => {
      const text = `SELECT id, project_id, epoch, revision, updated, wrapped_integrity_key FROM keks ORDER BY id`;
      return (await database.db.query({ text })).rows;
    };
    const before = await snapshot();
    const to = await addNext();
    const shown: string[] = [];
    const onProgress = (moved: number, total: number): void => void shown.push(`${moved}/${total}`);
    const outcome = await rotateMasterKey(node.parts, { store, to }, { ...unwatched, onProgress });
    expect(outcome).toEqual({ moved: 11, failed: [] });
    expect(shown).toEqual(['0/11', '8/11', '11/11']);
    expect(await used()).toEqual([to]);
    expect(await snapshot()).toEqual(before);
    expect(await readAll()).toEqual(payloads);
    expect(await states()).toEqual({ 'mk-0': ['kept', 0], [to]: ['active', 11] });
    expect(await rotateMasterKey(node.parts, { store, to }, unwatched)).toEqual({ moved: 0, failed: [] });
  });

  it('has servers that were not told make their KEKs under it, though their file says another', async () => {
    const [unaware, oldFile] = [await folder.open(database.db), await folder.copy()];
    const behind = await folder.open(database.db, oldFile);
    await Promise.all([unaware.keyring.system(), behind.keyring.system()]);
    const to = await addNext();
    await rotateMasterKey(node.parts, { store, to }, unwatched);
    await unaware.keyring.useProject('made-after');
    expect((await masterKeysOf(database.db))['made-after/1']).toBe(to);
    // Without the key it makes none, rather than one that is lost.
    await expect(behind.keyring.useProject('not-made')).rejects.toMatchObject({ code: 'unavailable' });
    expect(await used()).toEqual([to]);
    unaware.keyring.close();
    behind.keyring.close();
  });

  it('is heard of by a server whose file came after it, at the first KEK that it does not know', async () => {
    const oldFile = await folder.copy();
    const behind = await folder.open(database.db, oldFile);
    const to = await addNext();
    await rotateMasterKey(node.parts, { store, to }, unwatched);
    await copyFile(folder.file, oldFile);
    for (const [id, columns] of sealed) await behind.keyring.open('secret', id, 'owner', columns);
    behind.keyring.close();
  });

  it('is no integrity violation to a server whose file it has not reached, which cannot serve', async () => {
    const behind = await folder.open(database.db, await folder.copy());
    // What it holds open it has for a while yet.
    await behind.keyring.systemEpoch();
    const to = await addNext();
    await rotateMasterKey(node.parts, { store, to }, unwatched);
    for (const [id, columns] of sealed) {
      const opening = behind.keyring.open('secret', id, 'owner', columns);
      await expect(opening).rejects.toMatchObject({ code: 'unavailable' });
    }
    behind.keyring.close();
  });

  it('leaves KEKs that do not open where they are, says which, also those that pass for moved, and moves the others', async () => {
    await database.db.query({ text: 'CREATE TABLE kept AS SELECT * FROM keks' });
    await database.db.query({
      text: `UPDATE keks SET wrapped_kek = set_byte(wrapped_kek, 30, get_byte(wrapped_kek, 30) # 1) WHERE project_id = 'project-3'`,
    });
    await database.db.query({ text: `UPDATE keks SET store = 'hsm' WHERE project_id = 'project-4'` });
    const from = (await used()).join();
    const to = await addNext();
    await database.db.query({
      text: `UPDATE keks SET master_key_id = '${to}' WHERE project_id = 'project-5'`,
    });
    const checked: string[] = [];
    const onChecked = (done: number, total: number): void => void checked.push(`${done}/${total}`);
    const { moved, failed } = await rotateMasterKey(node.parts, { store, to }, { ...unwatched, onChecked });
    expect(failed).toEqual([
      { projectId: 'project-3', epoch: 1n, masterKeyId: from },
      { projectId: 'project-4', epoch: 1n, masterKeyId: from, unknownStore: 'hsm' },
      { projectId: 'project-5', epoch: 1n, masterKeyId: to },
    ]);
    expect(moved).toBe(Object.keys(await masterKeysOf(database.db)).length - 3);
    expect(checked).toEqual(['1/1']);
    expect(node.damaged).toEqual(['keks', 'keks']);
    await expect(retireMasterKey(node.parts, { store, id: from })).rejects.toMatchObject({
      code: 'conflict',
      message: `1 KEK needs the master key ${from}: run coffer master-key rotate first.`,
    });
    const altered = `project_id IN ('project-3', 'project-4', 'project-5')`;
    await database.db.query({ text: `DELETE FROM keks WHERE ${altered}` });
    await database.db.query({ text: `INSERT INTO keks SELECT * FROM kept WHERE ${altered}` });
    expect(await rotateMasterKey(node.parts, { store, to }, unwatched)).toEqual({ moved: 3, failed: [] });
    expect(await readAll()).toEqual(payloads);
  });

  it('twice at once moves each KEK once', async () => {
    for (let round = 0; round < rounds(50); round += 1) {
      const to = await addNext();
      const other = await folder.open(database.db);
      const outcomes = await Promise.all(
        [node, other].map(async ({ parts }) => await rotateMasterKey(parts, { store, to }, unwatched)),
      );
      expect(outcomes.flatMap(({ failed }) => failed)).toEqual([]);
      expect(outcomes[0]!.moved + outcomes[1]!.moved).toBe(
        Object.keys(await masterKeysOf(database.db)).length,
      );
      expect(await used()).toEqual([to]);
      other.keyring.close();
    }
    expect(await readAll()).toEqual(payloads);
  });

  it('is not undone by another that goes elsewhere at once', async () => {
    const [one, two] = [await addNext(), await addNext()];
    const other = await folder.open(database.db);
    const outcomes = await Promise.allSettled([
      rotateMasterKey(node.parts, { store, to: one }, unwatched),
      rotateMasterKey(other.parts, { store, to: two }, unwatched),
    ]);
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'conflict' });
    const active = (await describeMasterKeys(node.parts, store)).find(({ state }) => state === 'active');
    await rotateMasterKey(node.parts, { store, to: active!.id }, unwatched);
    expect(await used()).toEqual([active!.id]);
    other.keyring.close();
    expect(await readAll()).toEqual(payloads);
  });

  it('moves no KEK any more once another goes elsewhere', async () => {
    const before = await used();
    const [one, two] = [await addNext(), await addNext()];
    const other = await folder.open(database.db);
    const stopped = { ...unwatched, signal: AbortSignal.abort() };
    const db: Db = {
      ...database.db,
      transaction: async (use) => {
        await rotateMasterKey(other.parts, { store, to: two }, stopped);
        return await database.db.transaction(use);
      },
    };
    const rotation = rotateMasterKey({ ...node.parts, db }, { store, to: one }, unwatched);
    await expect(rotation).rejects.toMatchObject({ code: 'conflict' });
    expect(await used()).toEqual(before);
    await rotateMasterKey(node.parts, { store, to: two }, unwatched);
    other.keyring.close();
  });

  it.for(FAULTS)('completes at the second attempt wherever a call to the database is %s', async (fault) => {
    const calls = failCallsOf(database.db.pool);
    for (let n = 1; ; n += 1) {
      const to = await addNext();
      calls.arm(fault, n);
      const first = await rotateMasterKey(node.parts, { store, to }, unwatched).catch(
        (error: Error) => error,
      );
      calls.disarm();
      if (!calls.hasStruck()) {
        expect(first).toMatchObject({ failed: [] });
        expect(n).toBeGreaterThan(40);
        break;
      }
      expect(first, `call ${n}`).toMatchObject({ code: 'unavailable' });
      const second = await rotateMasterKey(node.parts, { store, to }, unwatched);
      expect(second.failed).toEqual([]);
      expect(await used(), `call ${n}`).toEqual([to]);
      if (n % 10 === 0) expect(await readAll()).toEqual(payloads);
    }
    expect(await readAll()).toEqual(payloads);
  });

  it('goes to no master key that the store does not have', async () => {
    const before = await used();
    const rotation = rotateMasterKey(node.parts, { store, to: 'no-such' }, unwatched);
    await expect(rotation).rejects.toMatchObject({ code: 'not_found' });
    expect(await used()).toEqual(before);
  });

  it('waits for the end of a migration, so that servers of the version before are not left behind', async () => {
    const to = await addNext();
    const { finishedMigration } = node.keyring;
    node.keyring.finishedMigration = 11;
    const rotation = rotateMasterKey(node.parts, { store, to }, unwatched);
    // Rows of the newer layout are not written back in the older one.
    await expect(rotation).rejects.toMatchObject({ code: 'unavailable' });
    node.keyring.finishedMigration = finishedMigration;
  });
});

describe('the retirement of a master key', () => {
  it('is refused while KEKs need the key, with their number, and for the one in use', async () => {
    const [active = ''] = await used();
    await expect(retireMasterKey(node.parts, { store, id: active })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('New KEKs are under') as string,
    });
    const to = await addNext();
    const stop = new AbortController();
    const onProgress = (moved: number): void => {
      if (moved > 0) stop.abort();
    };
    const { moved } = await rotateMasterKey(node.parts, { store, to }, { signal: stop.signal, onProgress });
    const left = Object.keys(await masterKeysOf(database.db)).length - moved;
    expect(left).toBeGreaterThan(1);
    await expect(retireMasterKey(node.parts, { store, id: active })).rejects.toMatchObject({
      code: 'conflict',
      message: `${left} KEKs need the master key ${active}: run coffer master-key rotate first.`,
    });
    await expect(retireMasterKey(node.parts, { store, id: 'no-such' })).rejects.toMatchObject({
      code: 'not_found',
    });
    await rotateMasterKey(node.parts, { store, to }, unwatched);
  });

  it('stops no server that has not heard of it yet: it makes KEKs, and is healthy', async () => {
    const [old = ''] = await used();
    const to = await addNext();
    const behind = await folder.open(database.db);
    await behind.keyring.system();
    await rotateMasterKey(node.parts, { store, to }, unwatched);
    await retireMasterKey(node.parts, { store, id: old });
    // Its file was read again, and the system's row that it remembers is the one of before.
    await behind.keyring.stores.get(store).reload(async () => {});
    await behind.keyring.useProject('made-after-retirement');
    await behind.keyring.checkHealth();
    expect(await used()).toEqual([to]);
    behind.keyring.close();
  });

  it('leaves a server not ready whose file has not got the master key in use, until it has', async () => {
    const copy = await folder.copy();
    const behind = await folder.open(database.db, copy);
    await behind.keyring.system();
    const to = await addNext();
    await rotateMasterKey(node.parts, { store, to }, unwatched);
    behind.keyring.forgetProject();
    await expect(behind.keyring.checkHealth()).rejects.toMatchObject({ code: 'unavailable' });
    await copyFile(folder.file, copy);
    await behind.keyring.stores.get(store).reload(async () => {});
    await behind.keyring.checkHealth();
    behind.keyring.close();
  });

  it('is refused while a row does not open that might need it', async () => {
    const [active = ''] = await used();
    const to = await addNext();
    await rotateMasterKey(node.parts, { store, to }, unwatched);
    for (const change of [`master_key_id = '${to}x'`, `store = 'other'`]) {
      await database.db.query({ text: 'CREATE TABLE before AS SELECT * FROM keks' });
      await database.db.query({ text: `UPDATE keks SET ${change} WHERE project_id = 'project-5'` });
      await expect(retireMasterKey(node.parts, { store, id: active })).rejects.toMatchObject({
        code: change.startsWith('store') ? 'unavailable' : 'conflict',
      });
      await database.db.query({ text: `DELETE FROM keks WHERE project_id = 'project-5'` });
      await database.db.query({
        text: `INSERT INTO keks SELECT * FROM before WHERE project_id = 'project-5'`,
      });
      await database.db.query({ text: 'DROP TABLE before' });
    }
    expect((await states())[active]).toEqual(['kept', 0]);
  });

  it('is for good: an old copy of a row does not open, also where the key is still held', async () => {
    const [old = ''] = await used();
    await database.db.query({ text: `CREATE TABLE old AS SELECT * FROM keks` });
    const oldFile = await folder.copy();
    const to = await addNext();
    await rotateMasterKey(node.parts, { store, to }, unwatched);
    await retireMasterKey(node.parts, { store, id: old });
    await retireMasterKey(node.parts, { store, id: old });
    expect((await states())[old]).toEqual(['retired', 0]);
    expect(await readFile(folder.file, 'utf8')).not.toContain(`key ${old} `);
    expect(await readFile(oldFile, 'utf8')).toContain(`key ${old} `);
    await expect(rotateMasterKey(node.parts, { store, to: old }, unwatched)).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(addMasterKey(node.parts, { store, id: old })).rejects.toMatchObject({ code: 'conflict' });
    expect(await readAll()).toEqual(payloads);

    await database.db.query({ text: `CREATE TABLE present AS SELECT * FROM keks` });
    await database.db.query({ text: `DELETE FROM keks WHERE project_id = 'project-1'` });
    await database.db.query({ text: `INSERT INTO keks SELECT * FROM old WHERE project_id = 'project-1'` });
    // A file of now that has the retired key still.
    const [line] = new RegExp(`^key ${old} .*$`, 'm').exec(await readFile(oldFile, 'utf8')) ?? [];
    await copyFile(folder.file, oldFile);
    await appendFile(oldFile, `${line?.replace(' active', '')}\n`);
    for (const file of [folder.file, oldFile]) {
      const fresh = await folder.open(database.db, file);
      const opened = fresh.keyring.open('secret', 'project-1', 'owner', sealed.get('project-1')!);
      await expect(opened).rejects.toMatchObject({ code: 'integrity_violation' });
      fresh.keyring.close();
    }
    await database.db.query({ text: `DELETE FROM keks WHERE project_id = 'project-1'` });
    await database.db.query({
      text: `INSERT INTO keks SELECT * FROM present WHERE project_id = 'project-1'`,
    });
    expect(await readAll()).toEqual(payloads);
  });

  it.for(FAULTS)('completes at the second attempt wherever a call to the database is %s', async (fault) => {
    const calls = failCallsOf(database.db.pool);
    for (let n = 1; ; n += 1) {
      const [old = ''] = await used();
      const to = await addNext();
      await rotateMasterKey(node.parts, { store, to }, unwatched);
      calls.arm(fault, n);
      const first = await retireMasterKey(node.parts, { store, id: old }).catch((error: Error) => error);
      calls.disarm();
      if (!calls.hasStruck()) break;
      expect(first === undefined || first instanceof Error).toBe(true);
      await retireMasterKey(node.parts, { store, id: old });
      expect((await states())[old]).toEqual(['retired', 0]);
      expect(node.keyring.stores.get(store).activeMasterKeyId(), `call ${n}`).toBe(to);
      expect(await node.keyring.stores.get(store).listMasterKeys()).not.toContain(old);
    }
    expect(await readAll()).toEqual(payloads);
  });
});
