import { expect, it } from 'vitest';
import { createPasswordHasher } from '../../src/crypto/password.ts';
import { cpuTime } from '../harness/cpu-time.ts';

const passwords = createPasswordHasher();

it('accepts the password that was hashed, and no other', async () => {
  const hashed = await passwords.hash('correct horse');
  expect(hashed).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=4\$/);
  expect(await passwords.verify(hashed, 'correct horse')).toBe(true);
  expect(await passwords.verify(hashed, 'correct horse ')).toBe(false);
  expect(await passwords.verify(hashed, '')).toBe(false);
});

it('takes passwords as bytes: neither composed nor cut at a NUL or a length', async () => {
  const hashed = await passwords.hash('Zoë\u0000tail');
  expect(await passwords.verify(hashed, 'Zoe\u0308\u0000tail')).toBe(false);
  expect(await passwords.verify(hashed, 'Zoë')).toBe(false);
  const long = 'x'.repeat(4_096);
  const longHashed = await passwords.hash(long);
  expect(await passwords.verify(longHashed, long)).toBe(true);
  expect(await passwords.verify(longHashed, long.slice(1))).toBe(false);
});

it('says no to any password of nobody, after the same work', async () => {
  const hashed = await passwords.hash('right');
  const time = async (against: string | null) => {
    const started = cpuTime();
    expect(await passwords.verify(against, 'wrong')).toBe(false);
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
    Array.from({ length: 40 }, async () => await crowded.verify(null, 'x')),
  );
  const refused = answers.flatMap((answer) =>
    answer.status === 'rejected' ? [answer.reason as unknown] : [],
  );
  expect(refused).toHaveLength(6);
  for (const reason of refused) expect(reason).toMatchObject({ code: 'unavailable', retryAfterSeconds: 2 });
  expect(await crowded.verify(null, 'x')).toBe(false);
});
