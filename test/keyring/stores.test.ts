import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CofferError, StoreAway } from '../../src/errors.ts';
import type { CryptoBackend, OpenKek } from '../../src/keyring/backend.ts';
import type { Keyring, PayloadColumns } from '../../src/keyring/keyring.ts';
import { storeId } from '../../src/keyring/stores.ts';
import { type TestDatabase, createTestDatabase } from '../db/test-database.ts';
import { createBootstrappedKeyring, createTestKeyring } from './test-keyring.ts';

const BOTH = ['main', 'second'] as const;
const away = { code: 'unavailable', name: 'StoreAway' };
const violation = { code: 'integrity_violation', message: 'Integrity Violation' };

let database: TestDatabase;
let keyring: Keyring;
const others: Keyring[] = [];
let count = 0;
let project: string;

beforeAll(async () => {
  database = await createTestDatabase();
  keyring = await createBootstrappedKeyring(database.db, { storeNames: BOTH });
});
afterAll(async () => {
  for (const each of [keyring, ...others]) each.close();
  await database.drop();
});
beforeEach(() => {
  count += 1;
  project = `project-${count}`;
});

/** Another server on the same database. */
function another(options: Parameters<typeof createTestKeyring>[1]): Keyring {
  const made = createTestKeyring(database.open(), options);
  others.push(made);
  return made;
}

async function write(on = keyring, text = 'payload'): Promise<PayloadColumns> {
  return await on.seal('secret', await on.useProject(project), 'owner', Buffer.from(text));
}

async function read(columns: PayloadColumns, on = keyring, of = project): Promise<string> {
  return Buffer.from(await on.open('secret', of, 'owner', columns)).toString();
}

async function prefer(store: string | null, on = keyring): Promise<void> {
  on.forgetProject();
  await on.preferStore(await on.ensureProject(project), store);
}

/** The stores of the project's epochs, in order. */
async function stores(): Promise<string[]> {
  const { rows } = await database.db.query<{ store: string }>({
    text: 'SELECT store FROM keks WHERE project_id = $1 ORDER BY epoch',
    values: [project],
  });
  return rows.map(({ store }) => store);
}

/** The store whose KEK wraps what was written. */
async function storeOf({ epoch }: PayloadColumns): Promise<string | undefined> {
  return (await stores())[Number(epoch) - 1];
}

describe('what is written', () => {
  it('goes to the first store by default', async () => {
    expect(await storeOf(await write())).toBe('main');
  });

  it('goes to the store that the project prefers, from its first secret on', async () => {
    await prefer('second');
    expect(await storeOf(await write())).toBe('second');
    expect(await stores()).toEqual(['second']);
  });

  it('goes to the preferred store from the choice on, and what was there before stays readable', async () => {
    const before = await write(keyring, 'before');
    await prefer('second');
    const after = await write(keyring, 'after');
    await prefer(null);
    const last = await write(keyring, 'last');
    expect(await stores()).toEqual(['main', 'second', 'main']);
    expect([await storeOf(before), await storeOf(after), await storeOf(last)]).toEqual([
      'main',
      'second',
      'main',
    ]);
    const texts = await Promise.all([before, after, last].map(async (columns) => await read(columns)));
    expect(texts).toEqual(['before', 'after', 'last']);
  });

  it('needs no new key when the choice is where it went already', async () => {
    await write();
    await prefer('main');
    await prefer(null);
    await prefer('main');
    await write();
    expect(await stores()).toEqual(['main']);
  });

  it('goes to the new default when the order of the stores changed', async () => {
    await write();
    const reordered = another({ storeNames: ['second', 'main'] });
    expect(await storeOf(await write(reordered))).toBe('second');
    expect(await stores()).toEqual(['main', 'second']);
  });

  it('goes to one store, whoever chooses and writes at once on two servers', async () => {
    const two = another({ storeNames: BOTH });
    await write();
    const attempts = await Promise.allSettled([
      prefer('second'),
      prefer('second', two),
      ...Array.from({ length: 20 }, async (_, n) => await write(n % 2 === 0 ? keyring : two)),
    ]);
    for (const attempt of attempts) {
      if (attempt.status === 'rejected') expect(attempt.reason).toMatchObject({ name: 'StaleRow' });
    }
    expect(await stores()).toEqual(['main', 'second']);
    keyring.forgetProject();
    expect(await storeOf(await write())).toBe('second');
  });
});

describe('a store that is gone from the configuration', () => {
  it('keeps its secrets unavailable until it is back, and the rest works', async () => {
    await prefer('second');
    const there = await write();
    const without = another({ storeNames: ['main'] });
    await expect(read(there, without)).rejects.toMatchObject(away);
    await expect(write(without)).rejects.toBeInstanceOf(StoreAway);
    await without.checkHealth();
    const mine = project;
    project = `${project}-other`;
    expect(await storeOf(await write(without))).toBe('main');
    expect(await read(there, keyring, mine)).toBe('payload');
  });

  it('lets what is written go to another one that is chosen', async () => {
    await prefer('second');
    await write();
    const without = another({ storeNames: ['main'] });
    await prefer(null, without);
    const later = await write(without);
    expect(await storeOf(later)).toBe('main');
    expect(await read(later, without)).toBe('payload');
  });

  it('lets what is written go to the default by itself, where nothing else was chosen', async () => {
    expect(await storeOf(await write(another({ storeNames: ['second', 'main'] })))).toBe('second');
    const without = another({ storeNames: ['main'] });
    const later = await write(without);
    expect([await storeOf(later), await read(later, without)]).toEqual(['main', 'payload']);
  });

  it('does not let a server begin without the system’s keys', async () => {
    const without = another({ storeNames: ['second'] });
    await expect(without.isBootstrapped()).rejects.toBeInstanceOf(StoreAway);
  });
});

describe('a store that is down', () => {
  const down =
    (name: string) =>
    (backend: CryptoBackend): CryptoBackend => {
      if (backend.store !== name) return backend;
      const fail = async (): Promise<never> => {
        throw new CofferError('unavailable', 'The token does not answer.');
      };
      const calls = { createKek: fail, openKek: fail, listMasterKeys: fail };
      return { ...backend, ...calls, checkHealth: fail, destroyKek: fail };
    };

  it('keeps its secrets unavailable, and the rest works', async () => {
    await prefer('second');
    const there = await write();
    const half = another({ storeNames: BOTH, wrapBackend: down('second') });
    await expect(read(there, half)).rejects.toMatchObject(away);
    await expect(write(half)).rejects.toBeInstanceOf(StoreAway);
    await half.checkHealth();
    project = `${project}-other`;
    expect(await storeOf(await write(half))).toBe('main');
    await expect(prefer('second', half)).rejects.toBeInstanceOf(StoreAway);
    expect(await read(await write(half), half)).toBe('payload');
  });

  it('lets what is written go to another one that is chosen', async () => {
    await prefer('second');
    await write();
    const half = another({ storeNames: BOTH, wrapBackend: down('second') });
    await prefer('main', half);
    expect(await storeOf(await write(half))).toBe('main');
  });

  it('is away as well where a KEK that is open is in the store alone, and says why as the cause', async () => {
    await prefer('second');
    const there = await write();
    let isDown = true;
    const trouble = new CofferError('unavailable', 'The token does not answer.');
    const half = another({
      storeNames: BOTH,
      wrapBackend: (backend) => ({
        ...backend,
        createKek: async (...asked) => {
          const { wrapped, kek } = await backend.createKek(...asked);
          return { wrapped, kek: failing(kek) };
        },
        openKek: async (...asked) => failing(await backend.openKek(...asked)),
      }),
    });
    const failing = (kek: OpenKek): OpenKek => {
      const call =
        (work: OpenKek['wrap']): OpenKek['wrap'] =>
        async (...asked) => {
          if (isDown) throw trouble;
          return await work(...asked);
        };
      return {
        wrap: call(async (...asked) => await kek.wrap(...asked)),
        unwrap: call(async (...asked) => await kek.unwrap(...asked)),
        close: () => kek.close(),
      };
    };
    const isAway = { ...away, cause: trouble };
    await expect(half.isBootstrapped()).rejects.toMatchObject(isAway);
    isDown = false;
    expect(await read(there, half)).toBe('payload');
    isDown = true;
    await expect(read(there, half)).rejects.toMatchObject(isAway);
    await expect(write(half)).rejects.toMatchObject(isAway);
    project = `${project}-new`;
    await expect(write(half)).rejects.toMatchObject(isAway);
  });

  it('leaves KEKs open that were used past ten minutes of their fifteen, for fifteen more', async () => {
    await prefer('second');
    const there = await write();
    const minute = 60_000;
    let clock = 0;
    let isDown = false;
    let closed = 0;
    const half = another({
      storeNames: BOTH,
      now: () => clock,
      wrapBackend: (backend) => ({
        ...backend,
        openKek: async (...asked) => {
          const kek = await (isDown ? down('second')(backend) : backend).openKek(...asked);
          return { ...kek, close: () => void (closed += backend.store === 'second' ? 1 : 0) };
        },
      }),
    });
    await read(there, half);
    clock = 10 * minute + 1;
    await read(there, half);
    await expect.poll(() => closed, { interval: 1 }).toBe(1);
    isDown = true;
    for (clock of [14.9 * minute, 20.1 * minute, 25 * minute]) {
      expect(await read(there, half)).toBe('payload');
    }
    clock = 25 * minute + 1;
    await expect(read(there, half)).rejects.toMatchObject(away);
  });

  it('is not healthy when it is the one of the system’s keys', async () => {
    const half = another({ storeNames: BOTH, wrapBackend: down('main') });
    await expect(half.checkHealth()).rejects.toBeInstanceOf(StoreAway);
  });

  it('does not let a project’s keys be destroyed half', async () => {
    await prefer('second');
    await write();
    const half = another({ storeNames: BOTH, wrapBackend: down('second') });
    await expect(half.destroyKeks(project)).rejects.toBeInstanceOf(StoreAway);
    await keyring.destroyKeks(project);
  });
});

describe('the row of a KEK', () => {
  it('said to be of another store is refused, though its master keys have the same ids', async () => {
    const columns = await write();
    const moved = { text: `UPDATE keks SET store = 'second' WHERE project_id = $1`, values: [project] };
    await database.db.query(moved);
    await expect(read(columns, another({ storeNames: BOTH }))).rejects.toMatchObject(violation);
  });

  it('of a store that has the same master keys is refused too: its seal names the store', async () => {
    const columns = await write();
    const renamed = { text: `UPDATE keks SET store = 'software' WHERE project_id = $1`, values: [project] };
    await database.db.query(renamed);
    await expect(read(columns, another({ storeNames: BOTH }))).rejects.toMatchObject(violation);
  });

  it('opens in the first store when it was made before stores had names', async () => {
    const own = await createTestDatabase();
    const old = await createBootstrappedKeyring(own.db, { name: 'old' });
    const columns = await write(old);
    const backend = old.stores.get('software');
    const named = createTestKeyring(own.open(), {
      name: 'old',
      storeNames: ['software', 'second'],
      wrapBackend: (made) => (made.store === 'software' ? { ...backend, store: 'main' } : made),
    });
    expect(named.stores.names).toEqual(['main', 'second']);
    expect(await named.isBootstrapped()).toBe(true);
    expect(await read(columns, named)).toBe('payload');
    expect((await named.useProject(project)).active_epoch).toBe(1n);
    named.close();
    old.close();
    await own.drop();
  });
});

it('gives a store the same id wherever it is asked, and another in another installation', () => {
  const one = Buffer.alloc(16, 1);
  expect(storeId(one, 'main')).toBe(storeId(one, 'main'));
  expect(storeId(one, 'main')).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  const ids = [storeId(one, 'main'), storeId(one, 'second'), storeId(Buffer.alloc(16, 2), 'main')];
  expect(new Set(ids).size).toBe(3);
});
