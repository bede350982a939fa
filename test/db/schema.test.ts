import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAYOUTS, sealedColumns } from '../../src/db/layouts.ts';
import type { SealedTable } from '../../src/db/schema.ts';
import { type TestDatabase, createTestDatabase } from './test-database.ts';

const SEALED = Object.keys(LAYOUTS) as SealedTable[];
const FORMAT = readFileSync(new URL('../../src/crypto/FORMAT.md', import.meta.url), 'utf8');
/** A payload's body, which the head in the seal stands for (FORMAT.md §2.1). */
const BODIES: Partial<Record<SealedTable, string[]>> = {
  secrets: ['payload_body'],
  signing_keys: ['payload_body'],
  orders: ['payload_body'],
};
/** Copies of lists, for indexes: unsealed, so that they decide nothing (FORMAT.md §5). */
const INDEXED_LISTS: Partial<Record<SealedTable, string[]>> = { secrets: ['acl_users'] };
const TYPES: Record<string, string> = { timestamptz: 'timestamp(3) with time zone' };

/** The cells of the table under a heading of FORMAT.md. */
function formatTable(heading: string): string[][] {
  const section = FORMAT.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => await database.drop());

async function names(text: string, values: unknown[] = []): Promise<string[]> {
  return (await database.db.query<{ name: string }>({ text, values })).rows.map(({ name }) => name);
}

describe('the schema', () => {
  it('has the sealed tables, and the unsealed ones of the closed list, and no other', async () => {
    const tables = await names(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')`,
    );
    const unsealed = formatTable('5. Unsealed tables').map(([table]) => table!);
    expect(unsealed.length).toBeGreaterThan(0);
    expect(tables.sort()).toEqual([...SEALED, ...unsealed].sort());
  });

  it('has no function, rule, trigger or sequence of its own', async () => {
    expect(
      await names(`SELECT proname AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace`),
    ).toEqual([]);
    expect(await names(`SELECT relname AS name FROM pg_class WHERE relkind = 'S'`)).toEqual([]);
    expect(await names(`SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal`)).toEqual([]);
  });

  it.each(SEALED)('gives %s no default, generated column, trigger, rule or foreign key', async (table) => {
    const of = [table];
    expect(
      await names(
        `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0
          AND (atthasdef OR attidentity <> '' OR attgenerated <> '')`,
        of,
      ),
    ).toEqual([]);
    expect(await names('SELECT tgname AS name FROM pg_trigger WHERE tgrelid = $1::regclass', of)).toEqual([]);
    expect(await names('SELECT rulename AS name FROM pg_rewrite WHERE ev_class = $1::regclass', of)).toEqual(
      [],
    );
    expect(
      await names(
        `SELECT conname AS name FROM pg_constraint WHERE conrelid = $1::regclass AND contype NOT IN ('p', 'u', 'n')`,
        of,
      ),
    ).toEqual([]);
  });

  it.each(SEALED)('gives %s the columns of its layouts, a seal, and nothing else', async (table) => {
    const columns = await names(
      'SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped',
      [table],
    );
    const beside = [...(BODIES[table] ?? []), ...(INDEXED_LISTS[table] ?? [])];
    expect(columns.sort()).toEqual([...sealedColumns(table), ...beside].sort());
  });

  it.each(SEALED)('gives the columns of %s the types that their seal covers', async (table) => {
    const { rows } = await database.db.query<{ name: string; type: string }>({
      text: `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
        WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
      values: [table],
    });
    const types = Object.fromEntries(rows.map(({ name, type }) => [name, type]));
    const expected = LAYOUTS[table].flatMap(({ columns }) =>
      columns.map(([name, type]) => [name, TYPES[type] ?? type] as const),
    );
    for (const name of ['seal', ...(BODIES[table] ?? [])]) expected.push([name, 'bytea']);
    for (const name of INDEXED_LISTS[table] ?? []) expected.push([name, 'text[]']);
    expect(types).toEqual(Object.fromEntries(expected));
  });
});

describe('FORMAT.md', () => {
  const documented = formatTable('4. Sealed tables');

  it('lists the sealed tables in the order of the layouts', () => {
    expect(documented.map(([table]) => table)).toEqual(SEALED);
  });

  it.each(SEALED)('lists the columns of layout 1 of %s in order', (table) => {
    const listed = documented
      .find(([name]) => name === table)?.[1]
      ?.split(', ')
      .filter((name) => name !== '†');
    const last = ['created', 'updated', 'revision', 'epoch'];
    expect([...(listed ?? []), ...last]).toEqual(LAYOUTS[table][0]?.columns.map(([name]) => name));
  });
});
