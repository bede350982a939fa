import { describe, expect, it } from 'vitest';
import { LAYOUTS, sealedColumns } from '../../src/db/layouts.ts';
import type { SealedTable } from '../../src/db/schema.ts';
import { type NewRow, sealRowWith, verifyRow } from '../../src/db/sealed.ts';
import { fromHex, readVectors } from '../vectors/read-vectors.ts';

type Column = [name: string, type: string, value: string | boolean | null];
interface RowVector {
  name: string;
  table: SealedTable;
  layout: number;
  columns: Column[];
  seal: string;
}

const file = readVectors<{ installation: string; rows_key: string; vectors: RowVector[] }>('row-seals.json');
const installationId = fromHex(file.installation);

function valueOf([, type, value]: Column): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (type === 'bytea') return fromHex(value);
  if (type === 'bigint') return BigInt(value);
  return type === 'timestamptz' ? new Date(value) : value;
}

describe('the golden rows', () => {
  it.each(file.vectors)('$name', ({ table, layout, columns, seal }) => {
    const frozen = LAYOUTS[table].find(({ number }) => number === layout);
    expect(frozen?.columns).toEqual(columns.map(([name, type]) => [name, type]));
    const outside = sealedColumns(table).map((name) => [name, null] as const);
    const row = Object.fromEntries([...outside, ...columns.map((column) => [column[0], valueOf(column)])]);
    const keys = { installationId, finishedMigration: frozen?.migration ?? 0 };
    const sealed = sealRowWith(fromHex(file.rows_key), keys, table, row as unknown as NewRow<typeof table>);
    expect(Buffer.from(sealed.seal).toString('hex')).toBe(seal);
    verifyRow(fromHex(file.rows_key), installationId, table, sealed);
  });

  it('are there for each layout of each table', () => {
    const wanted = Object.entries(LAYOUTS).flatMap(([table, layouts]) =>
      layouts.map(({ number }) => `${table} ${number}`),
    );
    expect([...new Set(file.vectors.map(({ table, layout }) => `${table} ${layout}`))]).toEqual(wanted);
  });
});
