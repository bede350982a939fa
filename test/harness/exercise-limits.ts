import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import type { OpenKek } from '../../src/keyring/backend.ts';
import type { Stage } from './exercise-backend.ts';
import { CONTEXT, expectViolation } from './refused-bytes.ts';

const AT_ONCE = 64;
const KEKS = 300;
/** A token may make them one after another, and is given up after a second or two. */
const MADE_AT_ONCE = 4;
/** Far more than a kind, a few ids and numbers come to. */
const CONTEXT_BYTES_MAX = 4_096;
const BACK_MS_MAX = 5_000;
const ANSWER_MS_MAX = 2_000;

export function exerciseCrowds(stage: () => Stage): void {
  it('serves 64 at once, and gives each its own', async () => {
    const { backend, active, wrapped, kek } = stage();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, index) => {
        const key = randomBytes(32);
        const context = Buffer.from(`context ${index}`);
        const inner = await kek.wrap(key, context);
        const again = await backend.openKek(active, wrapped, CONTEXT);
        expect(Buffer.from(await again.unwrap(inner, context))).toEqual(key);
        again.close();
      }),
    );
  });

  it('lets no refusal among 64 at once spoil the others', async () => {
    const { kek } = stage();
    const key = randomBytes(32);
    const inner = await kek.wrap(key, CONTEXT);
    await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, index) => {
        if (index % 4 === 0) await expectViolation(kek.unwrap(inner, Buffer.from(`context ${index}`)));
        else expect(Buffer.from(await kek.unwrap(inner, CONTEXT))).toEqual(key);
      }),
    );
  });

  it(`holds ${KEKS} KEKs open, and mixes none of them up`, async () => {
    const { backend, active } = stage();
    const keks: { kek: OpenKek; key: Buffer; inner: Uint8Array; wrapped: Uint8Array; context: Buffer }[] = [];
    while (keks.length < KEKS) {
      const made = Array.from({ length: MADE_AT_ONCE }, async (_, index) => {
        const context = Buffer.from(`KEK ${keks.length + index}`);
        const { wrapped, kek } = await backend.createKek(active, context);
        const key = randomBytes(32);
        return { kek, key, wrapped, context, inner: await kek.wrap(key, context) };
      });
      keks.push(...(await Promise.all(made)));
    }
    expect(new Set(keks.map(({ wrapped }) => Buffer.from(wrapped).toString('hex'))).size).toBe(KEKS);
    for (const [index, { kek, key, inner, context, wrapped }] of keks.entries()) {
      expect(Buffer.from(await kek.unwrap(inner, context))).toEqual(key);
      await expectViolation((keks[(index + 1) % KEKS] as { kek: OpenKek }).kek.unwrap(inner, context));
      kek.close();
      await backend.destroyKek(active, wrapped, context);
    }
  });
}

export function exerciseLimits(stage: () => Stage): void {
  it.for([0, 1, 255, CONTEXT_BYTES_MAX])('binds to a context of %d bytes', async (bytes) => {
    const { backend, active } = stage();
    const context = randomBytes(bytes);
    const { wrapped, kek } = await backend.createKek(active, context);
    const key = randomBytes(32);
    const inner = await kek.wrap(key, context);
    const again = await backend.openKek(active, wrapped, context);
    expect(Buffer.from(await again.unwrap(inner, context))).toEqual(key);
    for (const other of [Buffer.concat([context, Buffer.alloc(1)]), context.subarray(1)]) {
      if (other.equals(context)) continue;
      await expectViolation(backend.openKek(active, wrapped, other));
      await expectViolation(kek.unwrap(inner, other));
    }
    again.close();
    kek.close();
  });

  it.for([0, 1, 28, 29, 100, 65_536, 1_048_576])('refuses %d random bytes as a key', async (bytes) => {
    const { backend, active, wrapped, kek } = stage();
    const random = randomBytes(bytes);
    // With a first byte that it knows, whatever that is.
    const likely = Buffer.concat([wrapped.subarray(0, 1), random.subarray(1)]);
    for (const nothing of [random, likely]) {
      await expectViolation(backend.openKek(active, nothing, CONTEXT));
      await expectViolation(kek.unwrap(nothing, CONTEXT));
    }
    await backend.checkHealth();
  });
}

/** How a call ends. Its time is that of a timer beside it: a machine that is busy keeps both waiting. */
async function outcomeOf(call: Promise<unknown>): Promise<string> {
  const outcome = call.then(
    () => 'done',
    (error: unknown) => (error instanceof CofferError ? error.code : String(error)),
  );
  return await Promise.race([outcome, sleep(ANSWER_MS_MAX, 'too late', { ref: false })]);
}

export function exerciseAbsence(stage: () => Stage): void {
  it('says within 2 s that it is away, refuses nothing as damaged, and is well again by itself', async () => {
    const { backend, active, wrapped, kek, goesOn } = stage();
    const inner = await kek.wrap(randomBytes(32), CONTEXT);
    const bringBack = await stage().takeAway();
    const [made, opened, healthy, wrap, unwrap] = await Promise.all([
      outcomeOf(backend.createKek(active, CONTEXT).then((created) => created.kek.close())),
      outcomeOf(backend.openKek(active, wrapped, CONTEXT).then((again) => again.close())),
      outcomeOf(backend.checkHealth()),
      outcomeOf(kek.wrap(randomBytes(32), CONTEXT)),
      outcomeOf(kek.unwrap(inner, CONTEXT)),
    ]);
    await bringBack();
    const ofBackend = goesOn === 'all' ? 'done' : 'unavailable';
    const ofOpenKek = goesOn === 'nothing' ? 'unavailable' : 'done';
    expect([made, opened, healthy]).toEqual(Array(3).fill(ofBackend));
    expect([wrap, unwrap]).toEqual([ofOpenKek, ofOpenKek]);
    const works = async (): Promise<string> => {
      const again = await backend.openKek(active, wrapped, CONTEXT);
      await again.unwrap(inner, CONTEXT);
      again.close();
      await kek.unwrap(inner, CONTEXT);
      return 'well';
    };
    await expect
      .poll(async () => await works().catch(String), { timeout: BACK_MS_MAX, interval: 50 })
      .toBe('well');
  });
}
