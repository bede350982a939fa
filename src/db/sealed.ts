import {
  type Field,
  boolean,
  bytes,
  encodeMessage,
  integer,
  isUuid,
  text,
  time,
  uuid,
} from '../crypto/encoding.ts';
import { makeRowSeal, readSealLayout, verifyRowSeal } from '../crypto/row-seal.ts';
import { CofferError } from '../errors.ts';
import {
  type ColumnType,
  LAYOUTS,
  type Layout,
  layoutToWrite,
  SYSTEM_PROJECT,
  sealedColumns,
  sealingProject,
} from './layouts.ts';
import type { Queryable } from './open.ts';
import type { SealedRows, SealedTable } from './schema.ts';

/** What seals rows: the keyring. `use` borrows the rows key of a project's epoch. */
export interface RowKeys {
  readonly installationId: Uint8Array;
  readonly finishedMigration: number;
  /** @throws CofferError `integrity_violation` for an epoch that the project does not accept. */
  withRowsKey<T>(projectId: string, epoch: bigint, use: (key: Uint8Array) => T): Promise<T>;
}

/** The row changed, or went, since it was read: read again and decide again. */
export class StaleRow extends Error {
  constructor() {
    super('the row is no longer the one that was read');
    this.name = 'StaleRow';
  }
}

export type NewRow<T extends SealedTable> = Omit<SealedRows[T], 'seal'>;
type Columns = Record<string, unknown>;

/**
 * Accepts a row from the database: its seal must verify and each column must be what was asked for. A seal
 * says that a row is ours, not that it is the answer, so `asked` names every column of the query's predicate.
 *
 * @throws CofferError `integrity_violation` otherwise; no byte of the row gets any further.
 */
export async function openRow<T extends SealedTable>(
  keys: RowKeys,
  table: T,
  asked: Partial<SealedRows[T]>,
  row: unknown,
): Promise<SealedRows[T]> {
  if (!isAsked<T>(row, asked)) throw violated();
  await keys.withRowsKey(sealingProject(table, row), row.epoch, (key) =>
    verifyRow(key, keys.installationId, table, row),
  );
  return row;
}

/** Whether a row can be the one asked for; its seal is not looked at. */
export function isAsked<T extends SealedTable>(
  row: unknown,
  asked: Partial<SealedRows[T]>,
): row is SealedRows[T] {
  if (typeof row !== 'object' || row === null) return false;
  const columns = row as Columns;
  if (typeof columns['epoch'] !== 'bigint') return false;
  return Object.entries(asked).every(([column, value]) => sameValue(columns[column], value));
}

/** The synchronous half of `openRow`, for who holds the key already: the keyring, for its own rows. */
export function verifyRow<T extends SealedTable>(
  key: Uint8Array,
  installationId: Uint8Array,
  table: T,
  row: SealedRows[T],
): void {
  if (!((row.seal as unknown) instanceof Uint8Array)) throw violated();
  const number = readSealLayout(row.seal);
  const layout = LAYOUTS[table].find((candidate) => candidate.number === number);
  if (layout === undefined) throw violated();
  if (columnsOutside(table, layout).some((name) => (row as unknown as Columns)[name] !== null))
    throw violated();
  verifyRowSeal(key, row.seal, rowMessage(installationId, table, layout, row));
}

/** The columns that the table's other layouts have and this one has not. */
function columnsOutside(table: SealedTable, layout: Layout): readonly string[] {
  if (LAYOUTS[table].length === 1) return [];
  const covered = new Set(layout.columns.map(([name]) => name));
  return sealedColumns(table).filter((name) => name !== 'seal' && !covered.has(name));
}

/** Seals a row that the server made, under the epoch that it names. The input is not changed. */
export async function sealRow<T extends SealedTable>(
  keys: RowKeys,
  table: T,
  row: NewRow<T>,
): Promise<SealedRows[T]> {
  const project = sealingProject(table, row as SealedRows[T]);
  return await keys.withRowsKey(project, row.epoch, (key) => sealRowWith(key, keys, table, row));
}

/** The synchronous half of `sealRow`, for who holds the key already. */
export function sealRowWith<T extends SealedTable>(
  key: Uint8Array,
  keys: Pick<RowKeys, 'installationId' | 'finishedMigration'>,
  table: T,
  row: NewRow<T>,
): SealedRows[T] {
  const layout = layoutToWrite(LAYOUTS[table], keys.finishedMigration);
  // What a seal does not cover would make the row one that nobody opens.
  if (columnsOutside(table, layout).some((name) => ((row as unknown as Columns)[name] ?? null) !== null)) {
    throw new CofferError(
      'unavailable',
      'This waits for `coffer migrate --finish`, and a restart of servers.',
    );
  }
  const message = rowMessage(keys.installationId, table, layout, row);
  return { ...row, seal: makeRowSeal(key, layout.number, message) } as unknown as SealedRows[T];
}

function rowMessage(installationId: Uint8Array, table: string, layout: Layout, row: object): Uint8Array {
  const columns = row as Columns;
  const fields = layout.columns.map(([name, type]) => columnField(type, columns[name]));
  return encodeMessage('row', installationId, [text(table), ...fields]);
}

/** @throws CofferError `integrity_violation` for a value that a column of this type cannot give. */
function columnField(type: ColumnType, value: unknown): Field {
  if (value === null) return { kind: 'null' };
  if (type === 'uuid' && typeof value === 'string' && isUuid(value)) return uuid(value);
  if (type === 'text' && typeof value === 'string') return text(value);
  if (type === 'bytea' && value instanceof Uint8Array) return bytes(value);
  if (type === 'bigint' && typeof value === 'bigint') return integer(value);
  if (type === 'boolean' && typeof value === 'boolean') return boolean(value);
  if (type === 'timestamptz' && value instanceof Date && !Number.isNaN(value.getTime())) return time(value);
  throw violated();
}

/**
 * Columns outside the seal: a payload's body, which the head in the row stands for, or the copy of a list,
 * for an index.
 */
type Unsealed = Record<string, Uint8Array | readonly string[] | null>;

/** How a write reaches the table beside its sealed columns. */
interface WriteOptions {
  unsealed?: Unsealed;
  /** Rows that must still be what was read, locked in the same statement (rotation waits for it). */
  resting?: Resting | readonly Resting[];
}

interface Resting {
  table: SealedTable;
  id: string;
  seal: Uint8Array;
}

/**
 * Inserts a sealed row. The epoch that seals it must still count when the row becomes visible, or a rotation
 * would destroy the key of a row that it did not see: the project's row is locked until then.
 *
 * @throws StaleRow when the row it rests on, or its epoch, is no longer what was read; CofferError `conflict`
 *   when it exists.
 */
export async function insertRow<T extends SealedTable>(
  db: Queryable,
  table: T,
  row: SealedRows[T],
  { unsealed = {}, resting = [] }: WriteOptions = {},
): Promise<void> {
  const others = [resting].flat();
  const names = [...sealedColumns(table), ...Object.keys(unsealed)];
  const values = names.map((name) => unsealed[name] ?? (row as unknown as Columns)[name] ?? null);
  const place = (value: unknown): string => `$${values.push(value as never)}`;
  const locked = others.map(
    (other) =>
      `SELECT FROM ${other.table} WHERE id = ${place(other.id)} AND seal = ${place(other.seal)} FOR SHARE`,
  );
  const project = sealingProject(table, row);
  // A project's row that is held as it was read says itself which epochs count.
  const holdsProject = others.some((other) => other.table === 'projects' && other.id === project);
  const isItsOwn = table === 'keks' || (table === 'projects' && row.id === SYSTEM_PROJECT);
  if (!holdsProject && !isItsOwn) {
    const counts = `id = ${place(project)} AND least_epoch <= ${place(row.epoch)}`;
    locked.push(`SELECT FROM projects WHERE ${counts} FOR SHARE`);
  }
  const found = locked.map((text, index) => `locked_${index} AS (${text})`).join(', ');
  const from = locked.map((_, index) => `locked_${index}`).join(', ');
  const statement = `${found === '' ? '' : `WITH ${found}`}
    INSERT INTO ${table} (${names.join(', ')})
    SELECT ${typedPlaces(table, names, unsealed)} ${from === '' ? '' : `FROM ${from}`}`;
  const on = others.map((other) => other.table).join('+');
  const name = `insert-${table}-${on}-${locked.length}-${Object.keys(unsealed).join()}`;
  const { rowCount } = await db.query({ name, text: statement, values });
  if (rowCount !== 1) throw new StaleRow();
}

/** Parameters of a SELECT list have no type of their own to take from the target columns. */
function typedPlaces(table: SealedTable, names: string[], unsealed: Unsealed): string {
  const types = new Map<string, string>(LAYOUTS[table].flatMap((layout) => layout.columns));
  const typeOf = (name: string): string =>
    types.get(name) ?? (Array.isArray(unsealed[name]) ? 'text[]' : 'bytea');
  return names.map((name, index) => `$${index + 1}::${typeOf(name)}`).join(', ');
}

/**
 * Changes a row by compare-and-swap on the seal that was read, and returns it as it is now.
 *
 * @throws StaleRow when the row is no longer the one that was read.
 */
export async function updateRow<T extends SealedTable>(
  db: Queryable,
  keys: RowKeys,
  table: T,
  old: SealedRows[T],
  changes: Partial<NewRow<T>>,
  unsealed: Unsealed = {},
): Promise<SealedRows[T]> {
  const next = { ...old, revision: old.revision + 1n, ...changes } as unknown as NewRow<T>;
  const sealed = await sealRow(keys, table, next);
  await swapRow(db, table, old, sealed, unsealed);
  return sealed;
}

/** Writes `next`, sealed already, over `old`. @throws StaleRow when the row is no longer `old`. */
export async function swapRow<T extends SealedTable>(
  db: Queryable,
  table: T,
  old: SealedRows[T],
  next: SealedRows[T],
  unsealed: Unsealed = {},
): Promise<void> {
  const names = [...sealedColumns(table), ...Object.keys(unsealed)].filter((name) => name !== 'id');
  const values = names.map((name) => unsealed[name] ?? (next as unknown as Columns)[name] ?? null);
  const sets = names.map((name, index) => `${name} = $${index + 1}`).join(', ');
  const where = `id = $${names.length + 1} AND seal = $${names.length + 2}`;
  const { rowCount } = await db.query({
    name: `update-${table}-${Object.keys(unsealed).join()}`,
    text: `UPDATE ${table} SET ${sets} WHERE ${where}`,
    values: [...values, old.id, old.seal],
  });
  if (rowCount !== 1) throw new StaleRow();
}

/** A row as it was read, and as it is to be; sealed already. */
export interface Change<T extends SealedTable> {
  old: SealedRows[T];
  next: SealedRows[T];
}

/**
 * Writes many rows of one project over what was read, in one statement, as long as the epoch that they move
 * to still counts. A row that changed or went meanwhile is left as it is, and so is one that somebody holds:
 * who waits for no row stands in nobody's circle. Gives the number of those written.
 */
export async function moveRows<T extends SealedTable>(
  db: Queryable,
  table: T,
  projectId: string,
  epoch: bigint,
  changes: readonly Change<T>[],
): Promise<number> {
  if (changes.length === 0) return 0;
  const types = new Map<string, string>(LAYOUTS[table].flatMap((layout) => layout.columns));
  const names = MOVED.filter((name) => name === 'seal' || types.has(name));
  const column = (name: string) => changes.map(({ next }) => (next as unknown as Columns)[name] ?? null);
  const arrays = names.map((name, index) => `$${index + 5}::${types.get(name) ?? 'bytea'}[]`);
  const { rowCount } = await db.query({
    name: `move-${table}`,
    text: `WITH project AS (SELECT FROM projects WHERE id = $1 AND least_epoch <= $2 FOR SHARE),
        moved AS (SELECT ${table}.ctid AS place, ${names.map((name) => `next.${name}`).join(', ')}
          FROM unnest($3::${types.get('id') ?? 'text'}[], $4::bytea[], ${arrays.join(', ')})
            AS next (id, old_seal, ${names.join(', ')})
          JOIN ${table} ON ${table}.id = next.id AND ${table}.seal = next.old_seal
          FOR NO KEY UPDATE OF ${table} SKIP LOCKED)
      UPDATE ${table} SET ${names.map((name) => `${name} = moved.${name}`).join(', ')}
      FROM project, moved WHERE ${table}.ctid = moved.place`,
    values: [
      projectId,
      epoch,
      changes.map(({ old }) => old.id),
      changes.map(({ old }) => old.seal),
      ...names.map(column),
    ],
  });
  return rowCount ?? 0;
}

/** What differs between a row under one epoch and the same row under another. */
const MOVED = ['dek', 'epoch', 'seal'] as const;

/** A row that must stay the one that was read until the transaction ends; `change` when it changes in it. */
export interface Hold {
  table: SealedTable;
  row: { id: string; seal: Uint8Array };
  change?: true;
}

/**
 * Locks rows for the rest of the transaction, in one order for all, so that two transactions that hold the
 * same rows wait for each other and never in a circle. Call it before any change, with all rows that others
 * may hold too.
 *
 * @throws StaleRow when one is no longer the row that was read.
 */
export async function holdRows(tx: Queryable, holds: readonly Hold[]): Promise<void> {
  const place = ({ table, row }: Hold): string => `${table}/${row.id}`;
  const inOrder = [...holds].sort((a, b) => {
    if (place(a) !== place(b)) return place(a) < place(b) ? -1 : 1;
    // The stronger lock first: whoever turns the weaker into it may wait for another who does the same.
    return Number(b.change === true) - Number(a.change === true);
  });
  for (const { table, row, change } of inOrder) {
    const lock = change ? 'UPDATE' : 'SHARE';
    const text = `SELECT FROM ${table} WHERE id = $1 AND seal = $2 FOR ${lock}`;
    const { rowCount } = await tx.query({ name: `hold-${table}-${lock}`, text, values: [row.id, row.seal] });
    if (rowCount !== 1) throw new StaleRow();
  }
}

/** Deletes the row that was read. @throws StaleRow when it changed or went since. */
export async function deleteRow<T extends SealedTable>(
  db: Queryable,
  table: T,
  old: SealedRows[T],
): Promise<void> {
  const text = `DELETE FROM ${table} WHERE id = $1 AND seal = $2`;
  const { rowCount } = await db.query({ name: `delete-${table}`, text, values: [old.id, old.seal] });
  if (rowCount !== 1) throw new StaleRow();
}

function sameValue(actual: unknown, expected: unknown): boolean {
  if (actual instanceof Uint8Array && expected instanceof Uint8Array)
    return Buffer.compare(actual, expected) === 0;
  if (actual instanceof Date && expected instanceof Date) return actual.getTime() === expected.getTime();
  return actual === expected;
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
