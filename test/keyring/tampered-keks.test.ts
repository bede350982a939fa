import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LAYOUTS, SYSTEM_PROJECT } from '../../src/db/layouts.ts';
import type { Keyring, PayloadColumns } from '../../src/keyring/keyring.ts';
import { type TestDatabase, createTestDatabase } from '../db/test-database.ts';
import { createBootstrappedKeyring, createTestKeyring } from './test-keyring.ts';

const violation = { code: 'integrity_violation', message: 'Integrity Violation' };

/** SQL that changes a column a little, for each type that a sealed column may have. */
const CHANGED: Record<string, (column: string) => string> = {
  uuid: () => 'gen_random_uuid()',
  text: (column) => `${column} || 'x'`,
  bytea: (column) =>
    `set_byte(${column}, length(${column}) - 1, get_byte(${column}, length(${column}) - 1) # 1)`,
  bigint: (column) => `${column} + 1`,
  timestamptz: (column) => `${column} + interval '1 millisecond'`,
};

let database: TestDatabase;
let keyring: Keyring;
let columns: PayloadColumns;
let others: PayloadColumns;
beforeAll(async () => {
  database = await createTestDatabase();
  // Each KEK has a time of its own: that of another is a change.
  let made = Date.now();
  const date = (): Date => new Date((made += 1_000));
  keyring = await createBootstrappedKeyring(database.db, { date });
  columns = await keyring.seal('secret', await keyring.useProject('p'), 'owner', Buffer.from('payload'));
  others = await keyring.seal('secret', await keyring.useProject('q'), 'owner', Buffer.from('other'));
  await database.db.query({ text: 'CREATE TABLE kept AS SELECT * FROM keks' });
});
afterAll(async () => {
  keyring.close();
  await database.drop();
});
beforeEach(async () => {
  await database.db.query({ text: 'DELETE FROM keks' });
  await database.db.query({ text: 'INSERT INTO keks SELECT * FROM kept' });
});

/** Another server, which has opened nothing yet, after the attack. */
async function attacked<T>(statements: string[], use: (fresh: Keyring) => Promise<T>): Promise<T> {
  for (const text of statements) await database.db.query({ text });
  const fresh = createTestKeyring(database.db);
  try {
    return await use(fresh);
  } finally {
    fresh.close();
  }
}

async function expectRefused(
  statements: string[],
  projectId = 'p',
  epoch = 1n,
  refusal: object = violation,
): Promise<void> {
  await attacked(statements, async (fresh) => {
    await expect(fresh.withRowsKey(projectId, epoch, () => 1)).rejects.toMatchObject(refusal);
    const opened = fresh.open('secret', projectId, 'owner', { ...columns, epoch });
    await expect(opened).rejects.toMatchObject(refusal);
  });
}

/** A store that the configuration does not name may be one that is away: nothing says which. */
const refusalOf = (column: string): object => (column === 'store' ? { code: 'unavailable' } : violation);

const tamperable = [...LAYOUTS.keks[0]!.columns, ['seal', 'bytea'] as const];

describe('the row of a KEK', () => {
  it('opens as it was written', async () => {
    await attacked([], async (fresh) => {
      expect(Buffer.from(await fresh.open('secret', 'p', 'owner', columns)).toString()).toBe('payload');
    });
  });

  it.each(tamperable)('with its column %s (%s) changed is refused', async (name, type) => {
    const attack = `UPDATE keks SET ${name} = ${CHANGED[type]!(name)} WHERE project_id = 'p'`;
    await expectRefused([attack], 'p', 1n, refusalOf(name));
  });

  it.each(tamperable)(
    'of the system project with its column %s (%s) changed is refused',
    async (name, type) => {
      const attack = `UPDATE keks SET ${name} = ${CHANGED[type]!(name)} WHERE project_id = '${SYSTEM_PROJECT}'`;
      await attacked([attack], async (fresh) => {
        await expect(fresh.checkHealth()).rejects.toMatchObject(refusalOf(name));
        await expect(fresh.open('secret', 'p', 'owner', columns)).rejects.toMatchObject(refusalOf(name));
      });
    },
  );

  const SWAP = ['id', 'wrapped_kek', 'wrapped_integrity_key', 'seal', 'created'];
  it.each(SWAP)('with the %s of another project’s is refused', async (name) => {
    await expectRefused([
      `UPDATE keks SET ${name} = (SELECT ${name === 'id' ? 'gen_random_uuid()' : name} FROM kept WHERE project_id = 'q')
        WHERE project_id = 'p'`,
    ]);
  });

  it('with the wrapped KEK and integrity key of another project’s is refused', async () => {
    await expectRefused([
      `UPDATE keks SET (wrapped_kek, wrapped_integrity_key, seal) =
        (SELECT wrapped_kek, wrapped_integrity_key, seal FROM kept WHERE project_id = 'q') WHERE project_id = 'p'`,
    ]);
  });

  it('given to another project is refused there, and missed here', async () => {
    const swap = [
      `UPDATE keks SET project_id = 'x' WHERE project_id = 'p'`,
      `UPDATE keks SET project_id = 'p' WHERE project_id = 'q'`,
      `UPDATE keks SET project_id = 'q' WHERE project_id = 'x'`,
    ];
    await expectRefused(swap);
    await attacked([], async (fresh) => {
      await expect(fresh.open('secret', 'q', 'owner', others)).rejects.toMatchObject(violation);
    });
  });

  it('moved to another epoch, or copied there, is refused', async () => {
    await expectRefused([`UPDATE keks SET epoch = 2 WHERE project_id = 'p'`], 'p', 2n);
    await expectRefused([`UPDATE keks SET epoch = 1 WHERE project_id = 'p'`], 'p', 3n);
    const copy = `INSERT INTO keks SELECT gen_random_uuid(), project_id, store, master_key_id, wrapped_kek,
      wrapped_integrity_key, created, updated, revision, 4, seal FROM kept WHERE project_id = 'p'`;
    await expectRefused([copy], 'p', 4n);
  });

  it('said to be wrapped under another master key of the file is refused', async () => {
    await expectRefused([`UPDATE keks SET master_key_id = 'mk-2' WHERE project_id = 'p'`]);
  });

  it('that is gone is refused, and none is made in its place', async () => {
    await expectRefused([`DELETE FROM keks WHERE project_id = 'p'`]);
    const { rows } = await database.db.query({ text: `SELECT id FROM keks WHERE project_id = 'p'` });
    expect(rows).toEqual([]);
  });

  it('behind a view that answers another project’s is refused', async () => {
    await database.db.query({ text: 'ALTER TABLE keks RENAME TO hidden' });
    await database.db.query({
      text: `CREATE VIEW keks AS SELECT k.id, p.project_id, k.store, k.master_key_id, k.wrapped_kek,
        k.wrapped_integrity_key, k.created, k.updated, k.revision, k.epoch, k.seal
        FROM hidden k, hidden p WHERE k.project_id = 'q' AND p.project_id <> '${SYSTEM_PROJECT}'
        UNION ALL SELECT * FROM hidden WHERE project_id = '${SYSTEM_PROJECT}'`,
    });
    await expectRefused([]);
    await database.db.query({ text: 'DROP VIEW keks' });
    await database.db.query({
      text: `CREATE VIEW keks AS SELECT * FROM hidden WHERE project_id IN ('q', '${SYSTEM_PROJECT}')`,
    });
    await expectRefused([]);
    await database.db.query({ text: 'DROP VIEW keks' });
    await database.db.query({ text: 'ALTER TABLE hidden RENAME TO keks' });
  });

  it('harms no other project', async () => {
    await attacked([`UPDATE keks SET wrapped_kek = '\\x00' WHERE project_id = 'p'`], async (fresh) => {
      expect(Buffer.from(await fresh.open('secret', 'q', 'owner', others)).toString()).toBe('other');
      await fresh.checkHealth();
      await fresh.useProject('new');
    });
  });
});
