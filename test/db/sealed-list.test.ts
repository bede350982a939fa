import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { SecretConsumerRow } from '../../src/db/schema.ts';
import { type RowKeys, sealRow } from '../../src/db/sealed.ts';
import { openRows } from '../../src/db/sealed-list.ts';
import { CofferError } from '../../src/errors.ts';
import { createFixedKeys } from './fixed-keys.ts';

const keys = createFixedKeys();
const now = new Date('2026-11-21T05:06:07.089Z');

async function row(changes: Partial<SecretConsumerRow> = {}): Promise<SecretConsumerRow> {
  return await sealRow(keys, 'secret_consumers', {
    id: randomUUID(),
    project_id: 'ours',
    parent_id: randomUUID(),
    consumer_project_id: 'ours',
    service: 'nova',
    resource_type: 'SERVER',
    resource_id: '1',
    created: now,
    updated: now,
    revision: 1n,
    epoch: 1n,
    ...changes,
  });
}

const open = async (
  asked: Partial<SecretConsumerRow>,
  rows: readonly unknown[],
  by: RowKeys = keys,
): Promise<{ opened: SecretConsumerRow[]; refused: number }> => {
  let refused = 0;
  const opened = await openRows(by, 'secret_consumers', asked, rows, (reason) => {
    if (!(reason instanceof CofferError && reason.code === 'integrity_violation')) throw reason;
    refused += 1;
  });
  return { opened, refused };
};

it('gives the genuine rows in their order, of several projects and epochs', async () => {
  const rows = [await row(), await row({ project_id: 'theirs' }), await row({ epoch: 2n }), await row()];
  expect(await open({}, rows)).toEqual({ opened: rows, refused: 0 });
  expect(await open({}, [])).toEqual({ opened: [], refused: 0 });
});

it('leaves out what was changed, what was not asked for and what is no row, and tells of each', async () => {
  const [first, second, foreign] = [await row(), await row(), await row({ project_id: 'theirs' })];
  const rows = [
    { ...first, service: 'glance' },
    first,
    foreign,
    null,
    'row',
    { ...second, epoch: '1' },
    { ...second, seal: null },
    { ...second, seal: second.seal.subarray(1) },
    second,
  ];
  expect(await open({ project_id: 'ours' }, rows)).toEqual({ opened: [first, second], refused: 7 });
});

it('leaves out the rows of a project that has no key, and fails when keys cannot be had', async () => {
  const [ours, theirs] = [await row(), await row({ project_id: 'theirs' })];
  const failing = (error: Error): RowKeys => ({
    ...keys,
    withRowsKey: async (project, epoch, use) => {
      if (project === 'theirs') throw error;
      return await keys.withRowsKey(project, epoch, use);
    },
  });
  const noKey = failing(new CofferError('integrity_violation', 'Integrity Violation'));
  expect(await open({}, [theirs, ours], noKey)).toEqual({ opened: [ours], refused: 1 });
  const away = failing(new CofferError('unavailable', 'away'));
  await expect(open({}, [theirs, ours], away)).rejects.toMatchObject({ code: 'unavailable' });
});

it('borrows a key once for all of its rows', async () => {
  const rows = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => await row({ epoch: BigInt(1 + (index % 2)) })),
  );
  let borrowed = 0;
  const counting: RowKeys = {
    ...keys,
    withRowsKey: async (...asked) => {
      borrowed += 1;
      return await keys.withRowsKey(...asked);
    },
  };
  expect((await open({}, rows, counting)).opened).toEqual(rows);
  expect(borrowed).toBe(2);
});
