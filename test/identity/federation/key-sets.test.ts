import { beforeEach, describe, expect, it } from 'vitest';
import type { IssuerRow } from '../../../src/db/schema.ts';
import { formatKeySet, parseKeySet } from '../../../src/identity/federation/key-set.ts';
import { createKeySets, type KeySets } from '../../../src/identity/federation/key-sets.ts';
import { KeySetProblem } from '../../../src/identity/federation/key-set-fetch.ts';
import { makeKey, type TestKey } from './test-issuer.ts';

const row = (more: Partial<IssuerRow> = {}): IssuerRow =>
  ({ id: 'i', name: 'i', revision: 1n, key_set: null, jwks_url: 'https://x/', ...more }) as IssuerRow;

const [first, second] = [makeKey('ES256', 'one'), makeKey('ES256', 'two')];
let published: TestKey[];
let isDown: boolean;
let fetches: number;
let clock: number;
let warnings: object[];
let sets: KeySets;
let blocked: Promise<void> | undefined;
let unblock: () => void;

beforeEach(() => {
  published = [first];
  isDown = false;
  fetches = 0;
  clock = 0;
  warnings = [];
  blocked = undefined;
  sets = createKeySets({
    fetch: async () => {
      fetches += 1;
      await new Promise((resolve) => setImmediate(resolve));
      await blocked;
      if (isDown) throw new KeySetProblem('it is down');
      return Buffer.from(JSON.stringify({ keys: published.map(({ jwk }) => jwk) }));
    },
    log: { warn: (fields) => warnings.push(fields) },
    now: () => clock,
  });
});

const idsOf = async (kid: string | undefined, issuer = row()) =>
  (await sets.find(issuer, kid, 'ES256')).map((key) => key.kid);

describe('the key set of an issuer', () => {
  it('is fetched once for many at a time, and kept', async () => {
    const found = await Promise.all(Array.from({ length: 50 }, async () => await idsOf('one')));
    expect(new Set(found.flat())).toEqual(new Set(['one']));
    expect(fetches).toBe(1);
    clock += 60_000;
    await idsOf('one');
    expect(fetches).toBe(1);
  });

  it('is fetched anew for a key that it does not have, at most every ten seconds', async () => {
    await idsOf('one');
    published = [first, second];
    for (let index = 0; index < 100; index += 1) expect(await idsOf('two')).toEqual([]);
    expect(fetches).toBe(1);
    clock += 10_000;
    await Promise.all(Array.from({ length: 100 }, async () => await idsOf('unknown')));
    expect(fetches).toBe(2);
    expect(await idsOf('two')).toEqual(['two']);
    expect(fetches).toBe(2);
  });

  it('loses a key that is no longer published within five minutes', async () => {
    published = [first, second];
    expect(await idsOf('two')).toEqual(['two']);
    published = [first];
    clock += 5 * 60_000 + 1;
    expect(await idsOf('two')).toEqual([]);
  });

  it('is used for an hour while its address does not answer, and then no longer', async () => {
    await idsOf('one');
    isDown = true;
    clock += 59 * 60_000;
    expect(await idsOf('one')).toEqual(['one']);
    expect(warnings).toEqual([{ issuer: 'i', problem: 'it is down' }]);
    clock += 2 * 60_000;
    await expect(idsOf('one')).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 10 });
    isDown = false;
    clock += 10_000;
    expect(await idsOf('one')).toEqual(['one']);
  });

  it('makes nobody wait for an address that is down who has the key', async () => {
    await idsOf('one');
    isDown = true;
    clock += 6 * 60_000;
    await idsOf('one');
    let isRead = false;
    blocked = new Promise((resolve) => {
      unblock = () => {
        isRead = true;
        resolve();
      };
    });
    clock += 10_000;
    expect(await idsOf('one')).toEqual(['one']);
    expect([fetches, isRead]).toEqual([3, false]);
    unblock();
  });

  it('that was never read is 503, and is not asked for more often for that', async () => {
    isDown = true;
    for (let index = 0; index < 20; index += 1) {
      await expect(idsOf('one')).rejects.toMatchObject({ code: 'unavailable' });
    }
    expect(fetches).toBe(1);
  });

  it('is forgotten when its address is changed, and asked for no more often for that', async () => {
    await idsOf('one');
    published = [second];
    for (let revision = 2n; revision < 20n; revision += 1n) {
      await expect(idsOf('one', row({ jwks_url: `https://x/${revision}` }))).rejects.toMatchObject({
        code: 'unavailable',
      });
    }
    expect(fetches).toBe(1);
    clock += 10_000;
    expect(await idsOf('two', row({ jwks_url: 'https://y/' }))).toEqual(['two']);
  });

  it('that stands in the row is not fetched', async () => {
    const stored = parseKeySet(Buffer.from(JSON.stringify({ keys: [first.jwk] })));
    const issuer = row({ key_set: formatKeySet(stored), jwks_url: null });
    expect(await idsOf('one', issuer)).toEqual(['one']);
    expect(await idsOf('two', issuer)).toEqual([]);
    expect(fetches).toBe(0);
  });
});
