import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Unsealing } from '../../src/custody/unsealing.ts';
import { formatShare } from '../../src/keyring/shares.ts';
import { splitKeyring } from '../../src/keyring/split-keyring.ts';

const MINUTE = 60_000;
const lines: string[] = [];
const note = (_fields: object, message: string): void => void lines.push(message);
const log = { info: note, warn: note, error: note };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function make() {
  const of = { path: './keys', installationId: Buffer.alloc(16, 1) };
  const { keyring, shares } = splitKeyring(of, { threshold: 3, count: 3 }, Buffer.from('content'));
  const unsealing = new Unsealing([keyring], log);
  const give = async (index: number): Promise<unknown> =>
    await unsealing.give(formatShare(shares[index]!).toString('ascii'), '192.0.2.1');
  return { unsealing, give };
}

it('drops the shares that were given when fifteen minutes bring no other', async () => {
  const { unsealing, give } = make();
  await give(0);
  vi.advanceTimersByTime(14 * MINUTE);
  await give(1);
  vi.advanceTimersByTime(14 * MINUTE);
  expect(unsealing.status()).toMatchObject({ given: 2 });
  vi.advanceTimersByTime(MINUTE);
  expect(unsealing.status()).toEqual({ sealed: true, threshold: 3, given: 0 });
  expect(lines.at(-1)).toContain('no share for too long');
  await give(0);
  expect(unsealing.status()).toMatchObject({ given: 1 });
});

it('lets a refused share not prolong the wait', async () => {
  const { unsealing, give } = make();
  await give(0);
  vi.advanceTimersByTime(14 * MINUTE);
  await expect(give(0)).rejects.toThrow('given already');
  vi.advanceTimersByTime(MINUTE);
  expect(unsealing.status()).toMatchObject({ given: 0 });
});

it('gives the keys once, and forgets all when it is closed', async () => {
  const { unsealing, give } = make();
  await give(0);
  await give(1);
  const last = give(2);
  const keys = await unsealing.keys();
  expect([keys.size, (await unsealing.keys()).size]).toEqual([1, 0]);
  unsealing.close();
  await expect(last).rejects.toThrow('does not start');
});
