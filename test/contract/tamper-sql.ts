import { type ColumnType, LAYOUTS, sealedColumns } from '../../src/db/layouts.ts';
import type { Db } from '../../src/db/open.ts';
import type { SealedTable } from '../../src/db/schema.ts';

/** One thing that somebody with the database's password does to one row. */
export interface Attack {
  name: string;
  statements: string[];
}

const BODIES: Partial<Record<SealedTable, string[]>> = {
  secrets: ['payload_body'],
  signing_keys: ['payload_body'],
  orders: ['payload_body'],
};
const TABLES = Object.keys(LAYOUTS) as SealedTable[];

/** Every column of a table with its type: those of its layouts, the seal, and the body beside it. */
export function tamperableColumns(table: SealedTable): Map<string, ColumnType> {
  const types = new Map<string, ColumnType>(LAYOUTS[table].flatMap(({ columns }) => columns));
  for (const name of ['seal', ...(BODIES[table] ?? [])]) types.set(name, 'bytea');
  const names = [...sealedColumns(table), ...(BODIES[table] ?? [])];
  return new Map(names.map((name) => [name, types.get(name) ?? 'bytea']));
}

const NO_ID = '00000000-0000-4000-8000-000000000000';

/** A value that differs in one bit, or in as little as the type allows; something, where there was NULL. */
const FLIPPED: Record<ColumnType, (name: string) => string> = {
  uuid: (
    name,
  ) => `overlay(coalesce(${name}::text, '${NO_ID}') placing translate(substr(coalesce(${name}::text, '${NO_ID}'), 1, 1),
    '0123456789abcdef', '1032547698badcfe') from 1 for 1)::uuid`,
  text: (name) => `coalesce(chr(ascii(nullif(${name}, '')) # 1) || substr(${name}, 2), 'x')`,
  bytea: (name) => `CASE WHEN ${name} IS NULL OR ${name} = '' THEN '\\x01'::bytea
    ELSE set_bit(${name}, length(${name}) * 8 - 1, 1 - get_bit(${name}, length(${name}) * 8 - 1)) END`,
  bigint: (name) => `coalesce(${name} # 1, 1)`,
  boolean: (name) => `NOT coalesce(${name}, false)`,
  timestamptz: (name) => `coalesce(${name} + interval '1 millisecond', '2099-01-01')`,
};

const quoted = (id: string): string => `'${id.replaceAll("'", "''")}'`;

/**
 * The attacks on each column of one row: a bit flipped, NULL put in, another row's value put in or exchanged.
 */
export async function columnAttacks(
  db: Db,
  table: SealedTable,
  victim: string,
  others: string[],
): Promise<Attack[]> {
  const attacks: Attack[] = [];
  for (const [name, type] of tamperableColumns(table)) {
    const at = `WHERE id = ${quoted(victim)}`;
    attacks.push({
      name: `${name} with a bit flipped`,
      statements: [`UPDATE ${table} SET ${name} = ${FLIPPED[type](name)} ${at}`],
    });
    const { rows } = await db.query<{ empty: boolean }>({
      text: `SELECT ${name} IS NULL AS empty FROM ${table} ${at}`,
    });
    if (rows[0]?.empty === false) {
      attacks.push({ name: `${name} set to NULL`, statements: [`UPDATE ${table} SET ${name} = NULL ${at}`] });
    }
    for (const [index, other] of others.entries()) {
      const { rows: found } = await db.query<{ differs: boolean }>({
        text: `SELECT a.${name} IS DISTINCT FROM b.${name} AS differs FROM ${table} a, ${table} b
          WHERE a.id = ${quoted(victim)} AND b.id = ${quoted(other)}`,
      });
      if (found[0]?.differs !== true) continue;
      attacks.push({
        name: `${name} exchanged with row ${index + 2}`,
        statements: [
          `UPDATE ${table} t SET ${name} = o.${name} FROM kept.${table} o WHERE
            (t.id = ${quoted(victim)} AND o.id = ${quoted(other)}) OR (t.id = ${quoted(other)} AND o.id = ${quoted(victim)})`,
        ],
      });
    }
  }
  return attacks;
}

/** Exchanges several columns of two rows at once. */
export function exchange(table: SealedTable, columns: readonly string[], one: string, other: string): string {
  const sets = columns.map((name) => `${name} = o.${name}`).join(', ');
  return `UPDATE ${table} t SET ${sets} FROM kept.${table} o WHERE
    (t.id = ${quoted(one)} AND o.id = ${quoted(other)}) OR (t.id = ${quoted(other)} AND o.id = ${quoted(one)})`;
}

/** Every column but some, copied from a row into a new one. */
export function copyRow(table: SealedTable, from: string, changes: Record<string, string>): string {
  const names = [...tamperableColumns(table).keys()];
  const values = names.map((name) => changes[name] ?? name);
  return `INSERT INTO ${table} (${names.join(', ')}) SELECT ${values.join(', ')} FROM kept.${table} WHERE id = ${quoted(from)}`;
}

/**
 * Keeps a copy of every sealed table, and drops what would stand in an attacker's way: keys, unique indexes,
 * NOT NULL.
 */
export async function prepareAttacks(db: Db): Promise<void> {
  await db.query({ text: 'CREATE SCHEMA kept' });
  for (const table of TABLES) {
    const { rows } = await db.query<{ name: string }>({
      text: `SELECT conname AS name FROM pg_constraint WHERE conrelid = '${table}'::regclass AND contype IN ('p', 'u')`,
    });
    for (const { name } of rows) await db.query({ text: `ALTER TABLE ${table} DROP CONSTRAINT ${name}` });
    const { rows: indexes } = await db.query<{ name: string }>({
      text: `SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = '${table}'::regclass AND indisunique`,
    });
    for (const { name } of indexes) await db.query({ text: `DROP INDEX ${name}` });
    for (const name of tamperableColumns(table).keys()) {
      await db.query({ text: `ALTER TABLE ${table} ALTER COLUMN ${name} DROP NOT NULL` });
    }
    await db.query({ text: `CREATE TABLE kept.${table} AS TABLE ${table}` });
  }
}

/** Keeps a table's rows as they are now, when there were none before. */
export async function keepAlso(db: Db, table: SealedTable): Promise<void> {
  await db.query({ text: `DELETE FROM kept.${table}` });
  await db.query({ text: `INSERT INTO kept.${table} SELECT * FROM ${table}` });
}

export async function attack(db: Db, statements: readonly string[]): Promise<void> {
  for (const text of statements) await db.query({ text });
}

/** Puts every row back as it was kept. */
export async function restore(db: Db, tables: readonly SealedTable[] = TABLES): Promise<void> {
  await db.transaction(async (tx) => {
    for (const table of tables) {
      const names = [...tamperableColumns(table).keys()].join(', ');
      await tx.query({ text: `DELETE FROM ${table}` });
      await tx.query({ text: `INSERT INTO ${table} (${names}) SELECT ${names} FROM kept.${table}` });
    }
  });
}
