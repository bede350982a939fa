import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import type { CryptoBackend, OpenKek } from '../../src/keyring/backend.ts';
import { Keyring } from '../../src/keyring/keyring.ts';
import { createStores } from '../../src/keyring/stores.ts';
import { beginRotation, USUAL_PACE } from '../../src/rotation/rotation.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { fillProject, finishRotation, type Kept, partsOf, readAll } from './stage.ts';

const SECRETS = 60;
/** What a token does before the deadline of a call is over: whoever waits behind so many is given up. */
const IN_TIME = 16;
const AT_ONCE = 8;

let coffer: StartedCoffer;
let person: Person;
let kept: Kept[];

beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  person = await coffer.person(['creator'], 'slow');
  kept = await fillProject(person, SECRETS);
});

afterAll(async () => await coffer.stop());

/** A backend whose open KEKs do one thing after another, and give up those who would wait too long. */
function slow(backend: CryptoBackend, seen: { most: number; calls: number }): CryptoBackend {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = async <T>(call: () => Promise<T>): Promise<T> => {
    if (waiting >= IN_TIME) throw new CofferError('unavailable', 'The token did not answer in time.');
    waiting += 1;
    seen.calls += 1;
    seen.most = Math.max(seen.most, waiting);
    const mine = last.then(async () => await nextTurn()).then(call);
    last = mine.catch(() => {});
    return await mine.finally(() => {
      waiting -= 1;
    });
  };
  const slowly = (kek: OpenKek): OpenKek => ({
    wrap: async (key, context) => await inTurn(async () => await kek.wrap(key, context)),
    unwrap: async (wrapped, context) => await inTurn(async () => await kek.unwrap(wrapped, context)),
    close: () => kek.close(),
  });
  return {
    ...backend,
    wrapsAtOnce: AT_ONCE,
    createKek: async (id, context) => {
      const { wrapped, kek } = await backend.createKek(id, context);
      return { wrapped, kek: slowly(kek) };
    },
    openKek: async (id, wrapped, context) => slowly(await backend.openKek(id, wrapped, context)),
  };
}

it('asks a token for no more at once than it does in time, and so is done with a slow one too', async () => {
  const { db, keyring } = coffer.installation;
  const { installationId, finishedMigration } = keyring;
  const seen = { most: 0, calls: 0 };
  const own = new Keyring({
    db,
    stores: createStores([slow(keyring.stores.get('software'), seen)]),
    installationId,
    finishedMigration,
    now: () => performance.now(),
    date: () => new Date(),
  });
  const parts = { ...partsOf(coffer), keyring: own };
  await beginRotation(parts, person.projectId);
  expect(USUAL_PACE.rowsAtOnce).toBeGreaterThan(SECRETS);
  const pace = { ...USUAL_PACE, restSeconds: 0 };
  expect(await finishRotation(parts, person.projectId, pace)).toBe('done');
  expect(seen.calls).toBeGreaterThan(2 * SECRETS);
  expect(seen.most).toBeLessThanOrEqual(AT_ONCE);
  const text = 'SELECT epoch FROM keks WHERE project_id = $1';
  const { rows } = await db.query({ text, values: [person.projectId] });
  expect(rows).toEqual([{ epoch: 2n }]);
  keyring.forgetProject();
  expect(await readAll(person, kept)).toEqual(kept.map(({ payload }) => payload));
});
