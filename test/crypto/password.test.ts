import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createPasswordHasher } from '../../src/crypto/password.ts';
import { cpuTime } from '../harness/cpu-time.ts';

const passwords = createPasswordHasher();
const verifies = async (hashed: string | null, password: string, hasher = passwords): Promise<boolean> =>
  await hasher.verify(async () => hashed, password);

it('accepts the password that was hashed, and no other', async () => {
  const hashed = await passwords.hash('correct horse');
  expect(hashed).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=4\$/);
  expect(await verifies(hashed, 'correct horse')).toBe(true);
  expect(await verifies(hashed, 'correct horse ')).toBe(false);
  expect(await verifies(hashed, '')).toBe(false);
});

it('takes passwords as bytes: neither composed nor cut at a NUL or a length', async () => {
  const hashed = await passwords.hash('Zoë\u0000tail');
  expect(await verifies(hashed, 'Zoe\u0308\u0000tail')).toBe(false);
  expect(await verifies(hashed, 'Zoë')).toBe(false);
  const long = 'x'.repeat(4_096);
  const longHashed = await passwords.hash(long);
  expect(await verifies(longHashed, long)).toBe(true);
  expect(await verifies(longHashed, long.slice(1))).toBe(false);
});

it('says no to any password of nobody, after the same work', async () => {
  const hashed = await passwords.hash('right');
  const time = async (against: string | null) => {
    const started = cpuTime();
    expect(await verifies(against, 'wrong')).toBe(false);
    return cpuTime() - started;
  };
  const middle = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  const known: number[] = [];
  const unknown: number[] = [];
  for (let round = 0; round < 7; round += 1) {
    known.push(await time(hashed));
    unknown.push(await time(null));
  }
  // Far apart when one of them does no work at all, whatever else the machine does.
  expect(middle(unknown) / middle(known)).toBeGreaterThan(0.5);
  expect(middle(unknown) / middle(known)).toBeLessThan(2);
});

it('works on two at a time, lets 32 wait, and sends the others away', async () => {
  const crowded = createPasswordHasher();
  const answers = await Promise.allSettled(
    Array.from({ length: 40 }, async () => await verifies(null, 'x', crowded)),
  );
  const refused = answers.flatMap((answer) =>
    answer.status === 'rejected' ? [answer.reason as unknown] : [],
  );
  expect(refused).toHaveLength(6);
  for (const reason of refused) expect(reason).toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
  expect(await verifies(null, 'x', crowded)).toBe(false);
});

it('lets another source come next, however many of one wait', async () => {
  const crowded = createPasswordHasher();
  const done: string[] = [];
  const tries = async (source: string, count: number) =>
    await Promise.allSettled(
      Array.from({ length: count }, async () => {
        await verifies(null, 'x', crowded.from(source));
        done.push(source);
      }),
    );
  const flood = tries('192.0.2.1', 40);
  const [another] = await tries('192.0.2.2', 1);
  expect(another?.status).toBe('fulfilled');
  expect(done.length).toBeLessThan(6);
  const refused = (await flood).filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(6);
});

it('asks for the hash of a password when its turn has come', async () => {
  const asked: number[] = [];
  const guess = async (_: unknown, index: number) =>
    await passwords.verify(async () => {
      asked.push(index);
      return null;
    }, 'x');
  const guesses = Promise.all(Array.from({ length: 4 }, guess));
  await setImmediate();
  expect(asked).toEqual([0, 1]);
  await guesses;
  expect(asked).toEqual([0, 1, 2, 3]);
});
