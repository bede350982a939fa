import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { type ColumnType, LAYOUTS } from '../../src/db/layouts.ts';
import type { Queryable } from '../../src/db/open.ts';
import type { SealedTable } from '../../src/db/schema.ts';
import type { NewRow } from '../../src/db/sealed.ts';

/** Any text that a column can hold: PostgreSQL has no NUL, and UTF-8 no lone surrogate. */
const anyText = fc.string({ unit: 'binary', maxLength: 30 }).map((value) => value.replaceAll('\0', ''));

const VALUES: Record<ColumnType, fc.Arbitrary<unknown>> = {
  uuid: fc.constant(null).map(() => randomUUID()),
  text: anyText,
  bytea: fc.uint8Array({ maxLength: 80 }).map((value) => Buffer.from(value)),
  bigint: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  boolean: fc.boolean(),
  timestamptz: fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  }),
};

/** Rows of a table with any value in any column, NULL where the column may be. The id is new for each. */
export function arbitraryRow<T extends SealedTable>(
  table: T,
  required: ReadonlySet<string>,
): fc.Arbitrary<NewRow<T>> {
  const columns = Object.fromEntries(
    LAYOUTS[table].flatMap((layout) =>
      layout.columns.map(([name, type]) => {
        if (name === 'id') return [name, fc.constant(null).map(() => randomUUID())];
        // Only a counted epoch has a key; what a row names is verified elsewhere.
        if (name === 'epoch') return [name, fc.constant(1n)];
        return [name, required.has(name) ? VALUES[type] : fc.option(VALUES[type])];
      }),
    ),
  );
  return fc.record(columns) as unknown as fc.Arbitrary<NewRow<T>>;
}

/** The columns of a table that are NOT NULL. */
export async function requiredColumns(db: Queryable, table: string): Promise<Set<string>> {
  const { rows } = await db.query<{ name: string }>({
    text: `SELECT attname AS name FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND attnotnull AND NOT attisdropped`,
    values: [table],
  });
  return new Set(rows.map(({ name }) => name));
}
