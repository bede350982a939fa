import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import type { CryptoBackend, OpenKek } from '../../src/keyring/backend.ts';
import { exerciseBinding } from './exercise-binding.ts';
import { exerciseAbsence, exerciseCrowds, exerciseLimits } from './exercise-limits.ts';
import { exerciseMasterKeys } from './exercise-master-keys.ts';
import { CONTEXT, damagedCopies, expectViolation, flipBit } from './refused-bytes.ts';

/** What a backend must be given to be tried: itself, and a second one that holds other master keys. */
export interface BackendTrial {
  backend: CryptoBackend;
  /** A backend with the same ids of master keys, and others behind them. */
  stranger: CryptoBackend;
  /** A master key that is not the active one. */
  otherMasterKeyId: string;
  /**
   * Takes what the backend rests on away: the file, the device, the network. Resolves to how it comes back.
   */
  takeAway(): Promise<() => Promise<void>>;
  /** What goes on while it is away: `nothing`, `open KEKs`, or `all` of a backend that holds its keys. */
  goesOn: 'nothing' | 'open KEKs' | 'all';
  dispose(): Promise<void>;
}

/** A trial, and a KEK that was made in it. */
export interface Stage extends BackendTrial {
  active: string;
  wrapped: Uint8Array;
  kek: OpenKek;
}

/** The promises of `CryptoBackend`: every backend passes all of them before a KEK depends on it. */
export function exerciseBackend(name: string, create: () => Promise<BackendTrial>): void {
  describe(`the ${name} backend`, () => {
    let stage: Stage;
    beforeAll(async () => {
      const trial = await create();
      const active = trial.backend.activeMasterKeyId();
      stage = { ...trial, active, ...(await trial.backend.createKek(active, CONTEXT)) };
    });
    afterAll(async () => {
      stage.kek.close();
      await stage.dispose();
    });
    const current = (): Stage => stage;
    exerciseKeks(current);
    exerciseWrapping(current);
    exerciseBinding(current);
    exerciseMasterKeys(current);
    exerciseCrowds(current);
    exerciseLimits(current);
    exerciseAbsence(current);
    exerciseEnd(current, create);
  });
}

function exerciseKeks(stage: () => Stage): void {
  it('names its store and its active master key', () => {
    const { backend, active, otherMasterKeyId } = stage();
    expect(backend.store).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(active).not.toBe('');
    expect(active).not.toBe(otherMasterKeyId);
  });

  it('is healthy', async () => {
    await stage().backend.checkHealth();
  });

  it('opens the KEK that it made, as often as it is asked', async () => {
    const { backend, active, wrapped, kek } = stage();
    const key = randomBytes(32);
    const inner = await kek.wrap(key, CONTEXT);
    for (let turn = 0; turn < 3; turn += 1) {
      const again = await backend.openKek(active, wrapped, CONTEXT);
      expect(Buffer.from(await again.unwrap(inner, CONTEXT))).toEqual(key);
      again.close();
    }
  });

  it('makes another KEK each time', async () => {
    const { backend, active, wrapped, kek } = stage();
    const other = await backend.createKek(active, CONTEXT);
    expect(other.wrapped).not.toEqual(wrapped);
    await expectViolation(other.kek.unwrap(await kek.wrap(randomBytes(32), CONTEXT), CONTEXT));
    other.kek.close();
  });

  it('makes and opens KEKs under each of its master keys, and one is not the other', async () => {
    const { backend, active, otherMasterKeyId, wrapped } = stage();
    const other = await backend.createKek(otherMasterKeyId, CONTEXT);
    (await backend.openKek(otherMasterKeyId, other.wrapped, CONTEXT)).close();
    await expectViolation(backend.openKek(active, other.wrapped, CONTEXT));
    await expectViolation(backend.openKek(otherMasterKeyId, wrapped, CONTEXT));
    other.kek.close();
  });

  it('refuses a master key that it does not have', async () => {
    const { backend, wrapped } = stage();
    await expectViolation(backend.createKek('no-such-key', CONTEXT));
    await expectViolation(backend.openKek('no-such-key', wrapped, CONTEXT));
  });

  it('refuses a KEK with any bit flipped, cut off anywhere, or longer', async () => {
    const { backend, active, wrapped } = stage();
    for (const damaged of damagedCopies(wrapped)) {
      await expectViolation(backend.openKek(active, damaged, CONTEXT));
    }
  });

  it('refuses a KEK of a backend with other master keys, though they have the same ids', async () => {
    const { backend, stranger, active } = stage();
    const foreign = await stranger.createKek(stranger.activeMasterKeyId(), CONTEXT);
    await expectViolation(backend.openKek(active, foreign.wrapped, CONTEXT));
    foreign.kek.close();
  });
}

function exerciseWrapping(stage: () => Stage): void {
  it('wraps keys so that only the same KEK and context open them, byte for byte', async () => {
    const { kek } = stage();
    const key = randomBytes(32);
    const inner = await kek.wrap(key, CONTEXT);
    expect(Buffer.from(inner).includes(key.subarray(0, 8))).toBe(false);
    expect(Buffer.from(await kek.unwrap(inner, CONTEXT))).toEqual(key);
    await expectViolation(kek.unwrap(inner, flipBit(CONTEXT, 3)));
    for (const damaged of damagedCopies(inner)) await expectViolation(kek.unwrap(damaged, CONTEXT));
  });

  it('wraps a key to other bytes each time, and leaves it to its owner', async () => {
    const { kek } = stage();
    const key = randomBytes(32);
    const before = Buffer.from(key);
    expect(await kek.wrap(key, CONTEXT)).not.toEqual(await kek.wrap(key, CONTEXT));
    expect(key).toEqual(before);
  });

  it('refuses to wrap what is no key', async () => {
    for (const key of [new Uint8Array(0), randomBytes(31), randomBytes(33), new Uint8Array(32)]) {
      await expectViolation(stage().kek.wrap(key, CONTEXT));
    }
  });
}

function exerciseEnd(stage: () => Stage, create: () => Promise<BackendTrial>): void {
  it('does nothing with a KEK that was closed, and leaves others of the same bytes open', async () => {
    const { backend, active, wrapped, kek } = stage();
    const closed = await backend.openKek(active, wrapped, CONTEXT);
    const inner = await closed.wrap(randomBytes(32), CONTEXT);
    closed.close();
    await expect(closed.wrap(randomBytes(32), CONTEXT)).rejects.toBeInstanceOf(CofferError);
    await expect(closed.unwrap(inner, CONTEXT)).rejects.toBeInstanceOf(CofferError);
    await kek.unwrap(inner, CONTEXT);
  });

  it('destroys a KEK as often as it is told to, and leaves the others', async () => {
    const { backend, active, wrapped } = stage();
    const gone = await backend.createKek(active, CONTEXT);
    gone.kek.close();
    const isKept = await backend.destroyKek(active, gone.wrapped, CONTEXT);
    expect(await backend.destroyKek(active, gone.wrapped, CONTEXT)).toBe(isKept);
    expect(isKept && backend.objects === undefined).toBe(false);
    (await backend.openKek(active, wrapped, CONTEXT)).close();
  });

  it('makes and opens nothing once it is closed', async () => {
    const last = await create();
    const made = await last.backend.createKek(last.backend.activeMasterKeyId(), CONTEXT);
    last.backend.close();
    const id = last.backend.activeMasterKeyId();
    await expect(last.backend.createKek(id, CONTEXT)).rejects.toBeInstanceOf(CofferError);
    await expect(last.backend.openKek(id, made.wrapped, CONTEXT)).rejects.toBeInstanceOf(CofferError);
    await last.dispose();
  });
}
