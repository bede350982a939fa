import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SYSTEM_PROJECT } from '../../src/db/layouts.ts';
import { openRow, updateRow } from '../../src/db/sealed.ts';
import type { CryptoBackend, OpenKek } from '../../src/keyring/backend.ts';
import type { Keyring, PayloadColumns } from '../../src/keyring/keyring.ts';
import { flipBit } from '../crypto/refusal.ts';
import { type TestDatabase, createTestDatabase } from '../db/test-database.ts';
import { createBootstrappedKeyring, createTestKeyring, insertProject } from './test-keyring.ts';

const violation = { code: 'integrity_violation', message: 'Integrity Violation' };
const PAYLOAD = Buffer.from('a payload');

let database: TestDatabase;
let keyring: Keyring;
beforeAll(async () => {
  database = await createTestDatabase();
  keyring = await createBootstrappedKeyring(database.db);
});
afterAll(async () => {
  keyring.close();
  await database.drop();
});

const sealed = async (projectId: string, ownerId = 'owner'): Promise<PayloadColumns> =>
  await keyring.seal('secret', await keyring.useProject(projectId), ownerId, PAYLOAD);

describe('a payload', () => {
  it('opens for the kind, project, owner and epoch that it was sealed for, and for no other', async () => {
    const columns = await sealed('p');
    await sealed('q');
    expect(Buffer.from(await keyring.open('secret', 'p', 'owner', columns))).toEqual(PAYLOAD);
    for (const other of [
      () => keyring.open('signing-key', 'p', 'owner', columns),
      () => keyring.open('secret', 'q', 'owner', columns),
      () => keyring.open('secret', 'never seen', 'owner', columns),
      () => keyring.open('secret', 'p', 'other', columns),
      () => keyring.open('secret', 'p', 'owner', { ...columns, epoch: 0n }),
      () => keyring.open('secret', 'p', 'owner', { ...columns, epoch: 2n }),
      () => keyring.open('secret', 'p', 'owner', { ...columns, dek: flipBit(columns.dek, 300) }),
      () =>
        keyring.open('secret', 'p', 'owner', { ...columns, payload_head: flipBit(columns.payload_head, 9) }),
      () =>
        keyring.open('secret', 'p', 'owner', { ...columns, payload_body: flipBit(columns.payload_body, 9) }),
    ])
      await expect(other()).rejects.toMatchObject(violation);
  });

  it('does not open with the DEK, the head or the body of another one of its project', async () => {
    const [one, other] = [await sealed('p', 'one'), await sealed('p', 'other')];
    for (const column of ['dek', 'payload_head', 'payload_body'] as const) {
      const mixed = { ...one, [column]: other[column] };
      await expect(keyring.open('secret', 'p', 'one', mixed)).rejects.toMatchObject(violation);
    }
    await expect(keyring.open('secret', 'p', 'one', other)).rejects.toMatchObject(violation);
  });

  it('opens on another server with the same keyring and database', async () => {
    const columns = await sealed('p');
    const other = createTestKeyring(database.open());
    expect(Buffer.from(await other.open('secret', 'p', 'owner', columns))).toEqual(PAYLOAD);
    other.close();
  });

  it('opens nowhere with another keyring', async () => {
    const columns = await sealed('p');
    const other = createTestKeyring(database.db, { name: 'stranger' });
    await expect(other.open('secret', 'p', 'owner', columns)).rejects.toMatchObject(violation);
    other.close();
  });

  it('opens nowhere under another installation id, though the master keys are the same', async () => {
    const columns = await sealed('p');
    const other = createTestKeyring(database.db, { installationId: Buffer.alloc(16, 1) });
    await expect(other.open('secret', 'p', 'owner', columns)).rejects.toMatchObject(violation);
    other.close();
  });
});

describe('an epoch', () => {
  it('below the least that its project accepts is refused, even though it opens', async () => {
    const columns = await sealed('rotated');
    const project = (await keyring.findProject('rotated'))!;
    expect(await keyring.withRowsKey('rotated', 1n, (key) => key.length)).toBe(32);
    await updateRow(database.db, keyring, 'projects', project, { least_epoch: 2n, active_epoch: 2n });
    keyring.forgetProject('rotated');
    for (const fresh of [keyring, createTestKeyring(database.db)]) {
      await expect(fresh.withRowsKey('rotated', 1n, () => 1)).rejects.toMatchObject(violation);
      await expect(fresh.open('secret', 'rotated', 'owner', columns)).rejects.toMatchObject(violation);
    }
  });

  it('that has no KEK is refused, and so is one below 1', async () => {
    await sealed('p');
    for (const epoch of [-1n, 0n, 2n, 2n ** 62n]) {
      await expect(keyring.withRowsKey('p', epoch, () => 1)).rejects.toMatchObject(violation);
    }
  });

  it('of a project that was never seen is refused', async () => {
    await expect(keyring.withRowsKey('never seen', 1n, () => 1)).rejects.toMatchObject(violation);
  });
});

describe('a borrowed key', () => {
  it('is whole while it is lent, whatever is evicted meanwhile, and zeros after', async () => {
    const lent: Uint8Array[] = [];
    let interrupt = async (): Promise<void> => {};
    const slow = (kek: OpenKek): OpenKek => ({
      wrap: async (key, context) => {
        await interrupt();
        const wrapped = await kek.wrap(key, context);
        await interrupt();
        return wrapped;
      },
      unwrap: async (wrapped, context) => {
        await interrupt();
        const key = await kek.unwrap(wrapped, context);
        await interrupt();
        return key;
      },
      close: () => kek.close(),
    });
    const wrapBackend = (backend: CryptoBackend): CryptoBackend => ({
      ...backend,
      openKek: async (...given) => {
        await interrupt();
        return slow(await backend.openKek(...given));
      },
    });
    const small = createTestKeyring(database.db, { keksMax: 1, wrapBackend });
    let turn = 0;
    interrupt = async () => {
      // Another project's key pushes out the only one that the cache holds.
      turn += 1;
      if (turn % 2 === 0) await sleep(0);
      else if (turn < 2_000) void small.withRowsKey(`crowd-${turn % 5}`, 1n, () => {}).catch(() => {});
      await sleep(0);
    };
    for (let index = 0; index < 5; index += 1) await keyring.useProject(`crowd-${index}`);
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const id = `crowd-${index % 5}`;
        const columns = await small.seal('secret', await small.useProject(id), `owner ${index}`, PAYLOAD);
        const payload = await small.open('secret', id, `owner ${index}`, columns);
        expect(Buffer.from(payload)).toEqual(PAYLOAD);
        await small.withRowsKey(id, 1n, (key) => {
          expect(key.some((byte) => byte !== 0)).toBe(true);
          lent.push(key);
        });
      }),
    );
    small.close();
    expect(lent.length).toBe(20);
    await expect.poll(() => lent.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });

  it('of 500 projects with a cache of 100 is slower, and never an error', async () => {
    const small = createTestKeyring(database.db, { keksMax: 100 });
    const ids = Array.from({ length: 500 }, (_, index) => `many-${index}`);
    const columns: PayloadColumns[] = [];
    // Some at once: who waits for a connection for three seconds is told that the database is away.
    while (columns.length < ids.length) {
      const some = ids.slice(columns.length, columns.length + 50);
      const sealedNow = some.map(
        async (id) => await small.seal('secret', await small.useProject(id), id, Buffer.from(id)),
      );
      columns.push(...(await Promise.all(sealedNow)));
    }
    for (let round = 0; round < 2; round += 1) {
      const opened = await Promise.all(
        ids.map(async (id, index) => await small.open('secret', id, id, columns[index]!)),
      );
      expect(opened.map((payload) => Buffer.from(payload).toString())).toEqual(ids);
    }
    small.close();
  });
});

describe('a project', () => {
  it('is read anew after five seconds, or when it is told to forget it', async () => {
    const clock = { ms: 0 };
    const timed = createTestKeyring(database.open(), { now: () => clock.ms });
    await insertProject(database.db, keyring, 'timed');
    const first = (await timed.findProject('timed'))!;
    const second = await updateRow(database.db, keyring, 'projects', first, { description: 'second' });
    clock.ms = 4_999;
    expect((await timed.findProject('timed'))?.description).toBeNull();
    clock.ms = 5_000;
    expect((await timed.findProject('timed'))?.description).toBe('second');
    await updateRow(database.db, keyring, 'projects', second, { description: 'third' });
    timed.forgetProject('timed');
    expect((await timed.findProject('timed'))?.description).toBe('third');
    timed.close();
  });

  it('made by another server is known at once, though it was asked for before', async () => {
    const other = createTestKeyring(database.open());
    expect(await other.findProject('made later')).toBeUndefined();
    await insertProject(database.db, keyring, 'made later');
    expect(await other.findProject('made later')).toMatchObject({ id: 'made later' });
    other.close();
  });

  it('put back as it was before is refused by whoever saw it newer', async () => {
    const old = await insertProject(database.db, keyring, 'put back');
    await updateRow(database.db, keyring, 'projects', old, { enabled: false });
    keyring.forgetProject();
    expect(await keyring.findProject('put back')).toMatchObject({ enabled: false });
    await database.db.query({
      text: 'UPDATE projects SET enabled = $2, revision = $3, seal = $4 WHERE id = $1',
      values: [old.id, old.enabled, old.revision, old.seal],
    });
    keyring.forgetProject();
    await expect(keyring.findProject('put back')).rejects.toMatchObject(violation);
  });

  it('that could not be read is asked for again', async () => {
    const offline = database.open();
    const other = createTestKeyring(offline);
    const lookup = offline.lookup.bind(offline);
    offline.lookup = async () => await Promise.reject(new Error('away'));
    await expect(other.findProject('p')).rejects.toThrow('away');
    offline.lookup = lookup;
    await expect(other.findProject('p')).resolves.toMatchObject({ id: 'p' });
    other.close();
  });

  it('from outside is sealed under the system project, with a KEK of its own', async () => {
    const project = await keyring.useProject('from-keystone');
    expect(project).toMatchObject({
      origin: 'external',
      enabled: true,
      active_epoch: 1n,
      least_epoch: 1n,
      epoch: 1n,
    });
    await openRow(keyring, 'projects', { id: 'from-keystone' }, project);
  });
});

describe('an installation', () => {
  it('without a system project is not bootstrapped', async () => {
    const empty = await createTestDatabase();
    const fresh = createTestKeyring(empty.db);
    expect(await fresh.isBootstrapped()).toBe(false);
    await expect(fresh.checkHealth()).rejects.toMatchObject(violation);
    await expect(fresh.useProject('p')).rejects.toMatchObject(violation);
    fresh.close();
    await empty.drop();
  });

  it('is bootstrapped once, and then by nobody', async () => {
    const empty = await createTestDatabase();
    const fresh = await createBootstrappedKeyring(empty.db);
    expect(await fresh.isBootstrapped()).toBe(true);
    await fresh.checkHealth();
    const again = fresh.bootstrap.bind(fresh);
    await expect(empty.db.transaction(async (tx) => await again(tx))).rejects.toMatchObject({
      code: 'conflict',
    });
    const other = createTestKeyring(empty.db);
    expect(await other.isBootstrapped()).toBe(true);
    other.close();
    fresh.close();
    await empty.drop();
  });

  it('whose tables were emptied is not bootstrapped, and makes nothing by itself', async () => {
    const emptied = await createTestDatabase();
    const before = await createBootstrappedKeyring(emptied.db);
    await before.useProject('p');
    before.close();
    await emptied.db.query({ text: 'DELETE FROM projects' });
    await emptied.db.query({ text: 'DELETE FROM keks' });
    const after = createTestKeyring(emptied.db);
    expect(await after.isBootstrapped()).toBe(false);
    await expect(after.useProject('p')).rejects.toMatchObject(violation);
    const { rows } = await emptied.db.query({
      text: 'SELECT id FROM projects UNION ALL SELECT id::text FROM keks',
    });
    expect(rows).toEqual([]);
    after.close();
    await emptied.drop();
  });

  it('half emptied is refused, not taken for a new one', async () => {
    for (const table of ['projects', 'keks']) {
      const half = await createTestDatabase();
      (await createBootstrappedKeyring(half.db)).close();
      await half.db.query({ text: `DELETE FROM ${table}` });
      const after = createTestKeyring(half.db);
      if (table === 'keks') await expect(after.isBootstrapped()).rejects.toMatchObject(violation);
      await expect(after.checkHealth()).rejects.toMatchObject(violation);
      const tried = half.db.transaction(async (tx) => await after.bootstrap(tx));
      await expect(tried).rejects.toMatchObject({ code: 'conflict' });
      after.close();
      await half.drop();
    }
  });

  it('opened with another keyring is refused', async () => {
    const stranger = createTestKeyring(database.db, { name: 'stranger' });
    await expect(stranger.isBootstrapped()).rejects.toMatchObject(violation);
    await expect(stranger.checkHealth()).rejects.toMatchObject(violation);
    stranger.close();
  });

  it('keeps its system project’s row under its own seal', async () => {
    const system = await keyring.findProject(SYSTEM_PROJECT);
    expect(system).toMatchObject({ origin: 'system', enabled: false, active_epoch: 1n, least_epoch: 1n });
  });
});
