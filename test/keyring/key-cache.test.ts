import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { KeyCache } from '../../src/keyring/key-cache.ts';
import { rounds } from '../harness/rounds.ts';

class TestKey {
  readonly bytes = Buffer.alloc(32, 0xaa);
  closed = 0;

  close(): void {
    this.closed += 1;
    this.bytes.fill(0);
  }
}

function createCache(options: { entriesMax?: number; ttlMs?: number } = {}) {
  const clock = { ms: 1_000 };
  const cache = new KeyCache<TestKey>({ entriesMax: 10, ttlMs: 500, ...options, now: () => clock.ms });
  const opened: TestKey[] = [];
  const open = async (): Promise<TestKey> => {
    const key = new TestKey();
    opened.push(key);
    return key;
  };
  const touch = async (id: string): Promise<TestKey> => await cache.borrow(id, open, (key) => key);
  return { cache, clock, opened, open, touch };
}

/** Lets every microtask that is ready run. */
const settle = async (): Promise<void> => await sleep(0);

describe('a cached key', () => {
  it('is opened once for all who ask at once, and again for nobody', async () => {
    const { opened, touch } = createCache();
    const keys = await Promise.all(Array.from({ length: 20 }, async () => await touch('a')));
    expect(new Set(keys).size).toBe(1);
    expect(await touch('a')).toBe(keys[0]);
    expect(opened.length).toBe(1);
  });

  it('is lent to an asynchronous use and gives back what that returns', async () => {
    const { cache, open } = createCache();
    expect(await cache.borrow('a', open, async () => await Promise.resolve('result'))).toBe('result');
    expect(await cache.borrow('a', open, () => 7)).toBe(7);
  });

  it('stays whole through every await of its borrowers, and is wiped after the last', async () => {
    const { cache, opened, open } = createCache();
    const use = async (key: TestKey): Promise<void> => {
      for (let step = 0; step < 5; step += 1) {
        cache.evict();
        await (step % 2 === 0 ? Promise.resolve() : sleep(step));
        expect(key.closed).toBe(0);
        expect(key.bytes).toEqual(Buffer.alloc(32, 0xaa));
      }
    };
    await Promise.all(
      Array.from({ length: rounds(400) }, async (_, index) => {
        await sleep(index % 5);
        await cache.borrow(`key ${index % 3}`, open, use);
      }),
    );
    cache.evict();
    await settle();
    expect(opened.length).toBeGreaterThan(3);
    expect(opened.map(({ closed }) => closed)).toEqual(opened.map(() => 1));
    expect(opened.every(({ bytes }) => bytes.every((byte) => byte === 0))).toBe(true);
  });

  it('evicted while it opens is whole for who waits, and wiped after', async () => {
    const { cache } = createCache();
    const key = new TestKey();
    const open = async (): Promise<TestKey> => {
      await sleep(5);
      return key;
    };
    const seen = cache.borrow('a', open, ({ closed }) => closed);
    cache.evict();
    expect(cache.size).toBe(0);
    expect(await seen).toBe(0);
    await settle();
    expect(key.closed).toBe(1);
  });

  it('is wiped though its borrower failed, and the failure goes on', async () => {
    const { cache, opened, open } = createCache();
    const failing = cache.borrow('a', open, async () => {
      cache.evict();
      await settle();
      throw new Error('the borrower’s own');
    });
    await expect(failing).rejects.toThrow('the borrower’s own');
    await settle();
    expect(opened[0]?.closed).toBe(1);
    expect(await cache.borrow('a', open, ({ closed }) => closed)).toBe(0);
  });

  it('is another one after an eviction, while the first is still lent', async () => {
    const { cache, opened, open, touch } = createCache();
    await cache.borrow('a', open, async (first) => {
      cache.evict('a');
      const second = await touch('a');
      expect(second).not.toBe(first);
      expect([first.closed, second.closed]).toEqual([0, 0]);
    });
    await settle();
    expect(opened.map(({ closed }) => closed)).toEqual([1, 0]);
  });

  it('past its time is opened again, and wiped', async () => {
    const { clock, opened, touch } = createCache();
    const first = await touch('a');
    clock.ms += 499;
    expect(await touch('a')).toBe(first);
    clock.ms += 1;
    expect(await touch('a')).not.toBe(first);
    await settle();
    expect(opened.map(({ closed }) => closed)).toEqual([1, 0]);
  });

  it('past its time is wiped by a sweep, though nobody asks', async () => {
    const { cache, clock, opened, touch } = createCache();
    await touch('a');
    clock.ms += 300;
    await touch('b');
    clock.ms += 200;
    cache.sweep();
    await settle();
    expect(opened.map(({ closed }) => closed)).toEqual([1, 0]);
    expect(cache.size).toBe(1);
  });

  it('swept while it is lent stays whole until it is returned', async () => {
    const { cache, clock, open } = createCache();
    const key = await cache.borrow('a', open, async (lent) => {
      clock.ms += 10_000;
      cache.sweep();
      await settle();
      expect(lent.closed).toBe(0);
      return lent;
    });
    await settle();
    expect(key.closed).toBe(1);
  });
});

describe('a cached key that is used past two thirds of its time', () => {
  it('is opened anew once, while the one before serves, and lasts from then on', async () => {
    const { cache, clock, opened, open } = createCache({ ttlMs: 600 });
    let answer = (): void => undefined;
    const isLate = new Promise<void>((resolve) => (answer = resolve));
    const slowly = async (): Promise<TestKey> => {
      await isLate;
      return await open();
    };
    const touch = async (): Promise<TestKey> => await cache.borrow('a', slowly, (key) => key);
    const first = await cache.borrow('a', open, (key) => key);
    clock.ms += 399;
    expect(await touch()).toBe(first);
    clock.ms += 1;
    expect(await Promise.all([touch(), touch(), touch()])).toEqual([first, first, first]);
    clock.ms += 100;
    answer();
    await settle();
    expect(opened.map(({ closed }) => closed)).toEqual([1, 0]);
    clock.ms += 299;
    expect(await touch()).toBe(opened[1]);
    // It is as old as its opening, not as the answer.
    clock.ms += 201;
    cache.sweep();
    await settle();
    expect(opened[1]?.closed).toBe(1);
  });

  it('serves to its end and no longer where it does not open any more, and is tried now and then', async () => {
    const { cache, clock, touch } = createCache({ ttlMs: 600 });
    const first = await touch('a');
    let tried = 0;
    const refused = async (): Promise<TestKey> => {
      tried += 1;
      throw new Error('it has ended');
    };
    const use = async (): Promise<TestKey> => {
      const key = await cache.borrow('a', refused, (lent) => lent);
      await settle();
      return key;
    };
    clock.ms += 400;
    for (let n = 0; n < 5; n += 1) expect(await use()).toBe(first);
    expect(tried).toBe(1);
    clock.ms += 10;
    for (let n = 0; n < 5; n += 1) expect(await use()).toBe(first);
    expect(tried).toBe(2);
    clock.ms += 189;
    expect([await use(), first.closed]).toEqual([first, 0]);
    clock.ms += 1;
    await expect(use()).rejects.toThrow('it has ended');
    expect([first.closed, cache.size]).toEqual([1, 0]);
  });

  it('does not come back when it is given up while it is opened anew: both are wiped', async () => {
    const { cache, clock, opened, touch } = createCache({ ttlMs: 600 });
    await touch('a');
    clock.ms += 400;
    const lent = touch('a');
    cache.evict('a');
    await lent;
    await settle();
    expect(opened.map(({ closed }) => closed)).toEqual([1, 1]);
    expect(cache.size).toBe(0);
  });

  it('stays whole for who has it when another takes its place', async () => {
    const { cache, clock, opened, open, touch } = createCache({ ttlMs: 600 });
    await touch('a');
    clock.ms += 400;
    await cache.borrow('a', open, async (lent) => {
      await settle();
      expect(await touch('a')).toBe(opened[1]);
      expect(lent.closed).toBe(0);
    });
    await settle();
    expect(opened.map(({ closed }) => closed)).toEqual([1, 0]);
  });

  it('is opened anew with no more than seven others at once', async () => {
    const { cache, clock, touch } = createCache({ entriesMax: 30 });
    const ids = Array.from({ length: 30 }, (_, n) => `${n}`);
    for (const id of ids) await touch(id);
    clock.ms += 400;
    let atOnce = 0;
    let most = 0;
    const renewed = new Set<string>();
    const openSlowly = async (id: string): Promise<TestKey> => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      await settle();
      atOnce -= 1;
      renewed.add(id);
      return new TestKey();
    };
    for (let turn = 0; turn < 10; turn += 1) {
      for (const id of ids)
        await cache.borrow(
          id,
          async () => await openSlowly(id),
          () => {},
        );
      await settle();
    }
    expect([most, renewed.size]).toEqual([8, 30]);
  });
});

describe('a cache of keys', () => {
  it('holds no more than its bound, and gives up the one used longest ago', async () => {
    const { cache, opened, touch } = createCache({ entriesMax: 3 });
    const [a, b] = [await touch('a'), await touch('b'), await touch('c')];
    await touch('a');
    await touch('d');
    await settle();
    expect(cache.size).toBe(3);
    expect(opened.filter(({ closed }) => closed === 1)).toEqual([b]);
    expect(await touch('a')).toBe(a);
  });

  it('does not keep a failure', async () => {
    const { cache, open } = createCache();
    const failing = async (): Promise<TestKey> => {
      await settle();
      throw new Error('away');
    };
    const both = [cache.borrow('a', failing, () => 1), cache.borrow('a', failing, () => 2)];
    for (const result of await Promise.allSettled(both)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { message: 'away' } });
    }
    expect(cache.size).toBe(0);
    expect(await cache.borrow('a', open, ({ closed }) => closed)).toBe(0);
  });

  it('does not let a late failure push out the key that was opened after it', async () => {
    const { cache, touch } = createCache();
    const fail = async (): Promise<TestKey> => {
      await sleep(20);
      throw new Error('late');
    };
    const failing = cache.borrow('a', fail, () => 1);
    cache.evict();
    const key = await touch('a');
    await expect(failing).rejects.toThrow('late');
    expect(await touch('a')).toBe(key);
    expect(key.closed).toBe(0);
  });

  it('gives up the keys whose ids begin so, and no other', async () => {
    const { cache, opened, touch } = createCache();
    for (const id of ['1/a', '1/b', '2/a']) await touch(id);
    cache.evict('1/');
    await settle();
    expect(opened.map(({ closed }) => closed)).toEqual([1, 1, 0]);
  });
});
