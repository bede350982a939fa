import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAYOUTS, type Layout, layoutToWrite, sealedColumns, sealingProject } from '../../src/db/layouts.ts';
import type { SealedRows, SealedTable } from '../../src/db/schema.ts';
import {
  type NewRow,
  StaleRow,
  deleteRow,
  openRow,
  sealRow,
  sealRowWith,
  swapRow,
  updateRow,
  verifyRow,
} from '../../src/db/sealed.ts';
import { rounds } from '../harness/rounds.ts';
import { createFixedKeys } from './fixed-keys.ts';
import { arbitraryRow, requiredColumns } from './random-rows.ts';
import { admitEpochs, createTestDatabase, insertAdmitted, type TestDatabase } from './test-database.ts';

const TABLES = Object.keys(LAYOUTS) as SealedTable[];
const keys = createFixedKeys();
const violation = { code: 'integrity_violation', message: 'Integrity Violation' };
const now = new Date('2026-11-21T05:06:07.089Z');

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => await database.drop());

const sameBytes = (one: unknown, other: unknown): boolean =>
  one instanceof Uint8Array && other instanceof Uint8Array && Buffer.compare(one, other) === 0;

const BODY = new Set<SealedTable>(['secrets', 'signing_keys']);
const bodyOf = (table: SealedTable): Record<string, Uint8Array> =>
  BODY.has(table) ? { payload_body: Buffer.from('body') } : {};

async function read<T extends SealedTable>(table: T, id: string): Promise<SealedRows[T]> {
  const { rows } = await database.db.query<SealedRows[T]>({
    text: `SELECT ${sealedColumns(table).join(', ')} FROM ${table} WHERE id = $1`,
    values: [id],
  });
  return rows[0] as SealedRows[T];
}

const role = (changes: Partial<NewRow<'roles'>> = {}): NewRow<'roles'> => {
  const id = randomUUID();
  return {
    id,
    name: 'Creator',
    name_key: `creator-${id}`,
    description: null,
    created: now,
    updated: now,
    revision: 1n,
    epoch: 1n,
    ...changes,
  };
};

async function insertedRole(): Promise<SealedRows['roles']> {
  const row = await sealRow(keys, 'roles', role());
  await insertAdmitted(database.db, 'roles', row);
  return row;
}

describe('a sealed row', () => {
  it.each(TABLES)('of %s reads back to the bytes that were sealed, whatever its values', async (table) => {
    const required = await requiredColumns(database.db, table);
    await fc.assert(
      fc.asyncProperty(arbitraryRow(table, required), async (row) => {
        const sealed = await sealRow(keys, table, row);
        await insertAdmitted(database.db, table, sealed, { unsealed: bodyOf(table) });
        const back = await read(table, row.id);
        const opened = await openRow(keys, table, { id: row.id }, back);
        expect(opened).toEqual({ ...row, seal: sealed.seal });
        expect((await sealRow(keys, table, opened)).seal).toEqual(sealed.seal);
        await deleteRow(database.db, table, opened);
      }),
      { numRuns: rounds(300) },
    );
  });

  it.each(TABLES)('of %s is refused with any one column changed', async (table) => {
    const required = await requiredColumns(database.db, table);
    const [row, other] = fc.sample(arbitraryRow(table, required), { numRuns: 2, seed: 7 });
    const sealed = await sealRow(keys, table, row!);
    await expect(openRow(keys, table, {}, sealed)).resolves.toBe(sealed);
    for (const name of sealedColumns(table)) {
      const values = {
        ...row,
        ...other,
        epoch: 2n,
        seal: (await sealRow(keys, table, other!)).seal,
      } as never;
      const before = (sealed as never)[name] as unknown;
      for (const value of [
        values[name] as unknown,
        before === null ? '' : null,
        undefined,
        7,
        'x',
        new Date(Number.NaN),
      ]) {
        if (value === before || sameBytes(value, before)) continue;
        await expect(openRow(keys, table, {}, { ...sealed, [name]: value }), name).rejects.toMatchObject(
          violation,
        );
      }
    }
  });

  it('is refused as a row of another table, installation, project or epoch', async () => {
    const sealed = await sealRow(keys, 'roles', role());
    const elsewhere = { ...keys, installationId: Buffer.alloc(16, 0x12) };
    await expect(openRow(elsewhere, 'roles', {}, sealed)).rejects.toMatchObject(violation);
    const project = Buffer.alloc(32, 'other/1/key');
    expect(() => verifyRow(project, keys.installationId, 'roles', sealed)).toThrow('Integrity Violation');
    await expect(openRow(keys, 'roles', {}, { ...sealed, epoch: 2n })).rejects.toMatchObject(violation);
  });

  it('is refused when it is not the one asked for, though its seal is genuine', async () => {
    const sealed = await sealRow(keys, 'roles', role());
    for (const asked of [
      { id: randomUUID() },
      { name: 'creator' },
      { description: '' },
      { revision: 2n },
      { created: new Date(now.getTime() + 1) },
      { seal: Buffer.alloc(35) },
    ])
      await expect(openRow(keys, 'roles', asked, sealed)).rejects.toMatchObject(violation);
    const { id, name, description, revision, created, seal } = sealed;
    const copies = { created: new Date(created), seal: Buffer.from(seal) };
    await expect(
      openRow(keys, 'roles', { id, name, description, revision, ...copies }, sealed),
    ).resolves.toBe(sealed);
  });

  it('is refused without an epoch, a seal, or with a layout that nobody knows', async () => {
    const sealed = await sealRow(keys, 'roles', role());
    const unknown = Buffer.from(sealed.seal);
    unknown.writeUInt16BE(9, 1);
    for (const changed of [
      { seal: null },
      { seal: 'text' },
      { seal: unknown },
      { seal: new Uint8Array(0) },
      { epoch: 1 },
      { epoch: '1' },
      { epoch: null },
    ]) {
      await expect(openRow(keys, 'roles', {}, { ...sealed, ...changed })).rejects.toMatchObject(violation);
    }
    for (const none of [null, undefined, 'row', {}]) {
      await expect(openRow(keys, 'roles', {}, none)).rejects.toMatchObject(violation);
    }
  });

  const OF_PROJECTS: readonly SealedTable[] = [
    'keks',
    'secrets',
    'containers',
    'secret_consumers',
    'container_consumers',
    'orders',
  ];

  it.each(TABLES.filter((table) => !OF_PROJECTS.includes(table)))(
    'of %s is sealed under the system project',
    (table) => {
      expect(sealingProject(table, { project_id: 'other' } as never)).toBe('system');
    },
  );

  it.each(OF_PROJECTS)('of %s is sealed under its project', (table) => {
    expect(sealingProject(table, { project_id: 'other' } as never)).toBe('other');
  });
});

describe('a table with two layouts', () => {
  const [first, second] = LAYOUTS.users as readonly [Layout, Layout];
  const added = second.columns.filter(([name]) => !first.columns.some(([known]) => known === name));
  const [newColumn] = added[0]!;
  const key = Buffer.alloc(32, 0x55);
  const [user] = fc.sample(arbitraryRow('users', new Set()), { numRuns: 1, seed: 1 });
  const without: object = { ...user, ...Object.fromEntries(added.map(([name]) => [name, null])) };
  const sealed = (finishedMigration: number, row: object): SealedRows['users'] =>
    sealRowWith(key, { ...keys, finishedMigration }, 'users', row as NewRow<'users'>);
  const verify = (row: object): void =>
    verifyRow(key, keys.installationId, 'users', row as SealedRows['users']);
  const value = Buffer.from('x');

  it('writes the younger one only once its migration is finished', () => {
    expect(layoutToWrite(LAYOUTS.users, second.migration - 1).number).toBe(1);
    expect(layoutToWrite(LAYOUTS.users, second.migration).number).toBe(2);
    expect(layoutToWrite(LAYOUTS.users, second.migration + 1).number).toBe(2);
    expect(layoutToWrite(LAYOUTS.users, 0).number).toBe(1);
    expect(sealed(1, without).seal[2]).toBe(1);
    expect(sealed(second.migration, { ...without, [newColumn]: value }).seal[2]).toBe(2);
  });

  it('reads both', () => {
    verify(sealed(1, without));
    verify(sealed(second.migration, { ...without, [newColumn]: value }));
    verify(sealed(second.migration, without));
  });

  it('refuses a value in a column outside the layout of the row', () => {
    const row = sealed(1, without);
    for (const forged of [value, Buffer.alloc(0), undefined]) {
      expect(() => verify({ ...row, [newColumn]: forged })).toThrow('Integrity Violation');
    }
  });

  it('refuses a row whose seal is said to be of the other layout', () => {
    const row = sealed(second.migration, without);
    row.seal[2] = 1;
    expect(() => verify(row)).toThrow('Integrity Violation');
  });

  it('selects the columns of all layouts, each once, with the seal', () => {
    const names = LAYOUTS.users.flatMap(({ columns }) => columns.map(([name]) => name));
    expect(sealedColumns('users')).toEqual([...new Set(names), 'seal']);
  });
});

describe('a change of a sealed row', () => {
  it('counts its revision and seals it again', async () => {
    const row = await insertedRole();
    const next = await updateRow(database.db, keys, 'roles', row, { description: 'new' });
    expect(next).toMatchObject({ description: 'new', revision: 2n, created: now });
    expect(next.seal).not.toEqual(row.seal);
    expect(await openRow(keys, 'roles', { id: row.id }, await read('roles', row.id))).toEqual(next);
  });

  it('leaves what it was given as it was', async () => {
    const row = await insertedRole();
    const before = { ...row, seal: Buffer.from(row.seal) };
    await updateRow(database.db, keys, 'roles', row, { description: 'new' });
    expect(row).toEqual(before);
  });

  it('misses a row that changed, or went, since it was read', async () => {
    const row = await insertedRole();
    const next = await updateRow(database.db, keys, 'roles', row, { description: 'first' });
    await expect(updateRow(database.db, keys, 'roles', row, { description: 'second' })).rejects.toThrow(
      StaleRow,
    );
    await expect(deleteRow(database.db, 'roles', row)).rejects.toThrow(StaleRow);
    expect((await read('roles', row.id)).description).toBe('first');
    await deleteRow(database.db, 'roles', next);
    await expect(updateRow(database.db, keys, 'roles', next, {})).rejects.toThrow(StaleRow);
    await expect(swapRow(database.db, 'roles', next, next)).rejects.toThrow(StaleRow);
    await expect(deleteRow(database.db, 'roles', next)).rejects.toThrow(StaleRow);
  });

  it('is won by one of many who read the same row', async () => {
    const row = await insertedRole();
    const results = await Promise.allSettled(
      Array.from(
        { length: 12 },
        async (_, index) => await updateRow(database.db, keys, 'roles', row, { description: `${index}` }),
      ),
    );
    const lost = results.filter((result) => result.status === 'rejected');
    expect(lost.map(({ reason }) => reason as unknown)).toEqual(Array(11).fill(expect.any(StaleRow)));
    await openRow(keys, 'roles', {}, await read('roles', row.id));
  });

  it('writes unsealed columns beside it, NULL too', async () => {
    const id = randomUUID();
    const columns = Object.fromEntries(sealedColumns('secrets').map((name) => [name, null]));
    const row = await sealRow(keys, 'secrets', {
      ...columns,
      ...role(),
      id,
      project_id: 'p',
      secret_type: 'opaque',
      status: 'ACTIVE',
    } as never);
    await insertAdmitted(database.db, 'secrets', row, { unsealed: { payload_body: Buffer.from('one') } });
    const body = async (): Promise<unknown> =>
      (await database.db.query({ text: 'SELECT payload_body FROM secrets WHERE id = $1', values: [id] }))
        .rows[0]?.payload_body;
    expect(await body()).toEqual(Buffer.from('one'));
    const next = await updateRow(database.db, keys, 'secrets', row, {}, { payload_body: Buffer.from('two') });
    expect(await body()).toEqual(Buffer.from('two'));
    const kept = await updateRow(database.db, keys, 'secrets', next, {});
    expect(await body()).toEqual(Buffer.from('two'));
    await updateRow(database.db, keys, 'secrets', kept, {}, { payload_body: null });
    expect(await body()).toBeNull();
  });
});

describe('a row that rests on another', () => {
  it.each(TABLES)('of %s is inserted while the other one is the one that was read', async (table) => {
    const required = await requiredColumns(database.db, table);
    const [columns] = fc.sample(arbitraryRow(table, required), { numRuns: 1, seed: 3 });
    const row = await sealRow(keys, table, columns!);
    const other = await insertedRole();
    const resting = { table: 'roles', id: other.id, seal: other.seal } as const;
    await insertAdmitted(database.db, table, row, { unsealed: bodyOf(table), resting });
    expect(await read(table, row.id)).toEqual(row);
    await deleteRow(database.db, table, row);

    await updateRow(database.db, keys, 'roles', other, { description: 'changed' });
    await expect(
      insertAdmitted(database.db, table, row, { unsealed: bodyOf(table), resting }),
    ).rejects.toThrow(StaleRow);
    expect(await read(table, row.id)).toBeUndefined();
  });

  it('waits for who changes that one, and then sees the change', async () => {
    const other = await insertedRole();
    const row = await sealRow(keys, 'roles', role());
    const resting = { table: 'roles', id: other.id, seal: other.seal } as const;
    let insert: Promise<unknown> = Promise.resolve();
    await database.db.transaction(async (tx) => {
      await updateRow(tx, keys, 'roles', other, { description: 'changed' });
      insert = insertAdmitted(database.db, 'roles', row, { resting }).then(
        () => 'inserted',
        (error: unknown) => error,
      );
      await new Promise((resolve) => setTimeout(resolve, 150));
    });
    expect(await insert).toBeInstanceOf(StaleRow);
  });

  it('rests on several, and each must be the one that was read', async () => {
    const [one, two] = [await insertedRole(), await insertedRole()];
    const on = ({ id, seal }: SealedRows['roles']) => ({ table: 'roles', id, seal }) as const;
    await insertAdmitted(database.db, 'roles', await sealRow(keys, 'roles', role()), {
      resting: [on(one), on(two)],
    });
    await updateRow(database.db, keys, 'roles', two, { description: 'changed' });
    for (const resting of [
      [on(one), on(two)],
      [on(two), on(one)],
    ]) {
      const row = await sealRow(keys, 'roles', role());
      await expect(insertAdmitted(database.db, 'roles', row, { resting })).rejects.toThrow(StaleRow);
    }
  });

  it('is refused as a conflict when it exists already', async () => {
    const row = await insertedRole();
    await expect(insertAdmitted(database.db, 'roles', row)).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('a row of an epoch that no longer counts', () => {
  it('is not inserted, and one of the least that counts is', async () => {
    const { db } = database;
    const project = randomUUID();
    await admitEpochs(db, project);
    await db.query({ text: 'UPDATE projects SET least_epoch = 2 WHERE id = $1', values: [project] });
    const required = await requiredColumns(db, 'containers');
    const [made] = fc.sample(arbitraryRow('containers', required), 1);
    for (const [epoch, isTaken] of [
      [1n, false],
      [2n, true],
    ] as const) {
      const row = await sealRow(keys, 'containers', { ...made!, project_id: project, epoch });
      const outcome = insertAdmitted(db, 'containers', row);
      await (isTaken ? outcome : expect(outcome).rejects.toThrow(StaleRow));
    }
  });

  it('waits for a change of the project that is under way', async () => {
    const { db } = database;
    const project = randomUUID();
    await admitEpochs(db, project);
    const required = await requiredColumns(db, 'containers');
    const [made] = fc.sample(arbitraryRow('containers', required), 1);
    const row = await sealRow(keys, 'containers', { ...made!, project_id: project, epoch: 1n });
    let outcome: Promise<unknown> = Promise.resolve();
    await db.transaction(async (tx) => {
      await tx.query({ text: 'UPDATE projects SET least_epoch = 2 WHERE id = $1', values: [project] });
      outcome = insertAdmitted(db, 'containers', row).then(
        () => 'inserted',
        (error: unknown) => error,
      );
      // Long enough to be inserted, were there nothing to wait for.
      await new Promise((resolve) => setTimeout(resolve, 100));
    });
    expect(await outcome).toBeInstanceOf(StaleRow);
  });
});
