import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import type { CryptoBackend, OpenKek } from '../../src/keyring/backend.ts';

/** What a backend must be given to be tried: itself, and a second one that holds other master keys. */
export interface BackendTrial {
  backend: CryptoBackend;
  stranger: CryptoBackend;
  /** A master key that is not the active one. */
  otherMasterKeyId: string;
  dispose(): Promise<void>;
}

const CONTEXT = Buffer.from('the context of a KEK');

async function expectViolation(action: Promise<unknown>): Promise<void> {
  const error = await action.then(
    () => expect.unreachable('it was accepted'),
    (refusal: unknown) => refusal,
  );
  expect(error).toBeInstanceOf(CofferError);
  expect(error).toMatchObject({ code: 'integrity_violation', message: 'Integrity Violation' });
}

function flipBit(input: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(input);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

/** The promises of `CryptoBackend`: every backend passes all of them before a KEK depends on it. */
export function exerciseBackend(name: string, create: () => Promise<BackendTrial>): void {
  describe(`the ${name} backend`, () => {
    let trial: BackendTrial;
    let active: string;
    let wrapped: Uint8Array;
    let kek: OpenKek;
    beforeAll(async () => {
      trial = await create();
      active = trial.backend.activeMasterKeyId();
      ({ wrapped, kek } = await trial.backend.createKek(active, CONTEXT));
    });
    afterAll(async () => {
      kek.close();
      await trial.dispose();
    });

    it('names its store and its active master key', () => {
      expect(trial.backend.store).toMatch(/^[a-z][a-z0-9-]*$/);
      expect(active).not.toBe('');
      expect(active).not.toBe(trial.otherMasterKeyId);
    });

    it('is healthy', async () => {
      await trial.backend.checkHealth();
    });

    it('opens the KEK that it made, as often as it is asked', async () => {
      const key = randomBytes(32);
      const inner = await kek.wrap(key, CONTEXT);
      for (let turn = 0; turn < 3; turn += 1) {
        const again = await trial.backend.openKek(active, wrapped, CONTEXT);
        expect(Buffer.from(await again.unwrap(inner, CONTEXT))).toEqual(key);
        again.close();
      }
    });

    it('makes another KEK each time', async () => {
      const other = await trial.backend.createKek(active, CONTEXT);
      expect(other.wrapped).not.toEqual(wrapped);
      await expectViolation(other.kek.unwrap(await kek.wrap(randomBytes(32), CONTEXT), CONTEXT));
      other.kek.close();
    });

    it('makes and opens KEKs under each of its master keys, and one is not the other', async () => {
      const other = await trial.backend.createKek(trial.otherMasterKeyId, CONTEXT);
      (await trial.backend.openKek(trial.otherMasterKeyId, other.wrapped, CONTEXT)).close();
      await expectViolation(trial.backend.openKek(active, other.wrapped, CONTEXT));
      await expectViolation(trial.backend.openKek(trial.otherMasterKeyId, wrapped, CONTEXT));
      other.kek.close();
    });

    it('refuses a master key that it does not have', async () => {
      await expectViolation(trial.backend.createKek('no-such-key', CONTEXT));
      await expectViolation(trial.backend.openKek('no-such-key', wrapped, CONTEXT));
    });

    it('refuses a KEK with any bit flipped, longer, shorter or empty', async () => {
      for (let bit = 0; bit < 8 * wrapped.length; bit += 1) {
        await expectViolation(trial.backend.openKek(active, flipBit(wrapped, bit), CONTEXT));
      }
      for (const changed of [
        Buffer.concat([wrapped, Buffer.alloc(1)]),
        wrapped.subarray(1),
        new Uint8Array(0),
      ]) {
        await expectViolation(trial.backend.openKek(active, changed, CONTEXT));
      }
    });

    it('refuses a KEK for another context', async () => {
      await expectViolation(trial.backend.openKek(active, wrapped, flipBit(CONTEXT, 0)));
      await expectViolation(trial.backend.openKek(active, wrapped, new Uint8Array(0)));
    });

    it('refuses a KEK of a backend with other master keys, though they have the same ids', async () => {
      const foreign = await trial.stranger.createKek(trial.stranger.activeMasterKeyId(), CONTEXT);
      await expectViolation(trial.backend.openKek(active, foreign.wrapped, CONTEXT));
      foreign.kek.close();
    });

    it('wraps keys so that only the same KEK and context open them', async () => {
      const key = randomBytes(32);
      const inner = await kek.wrap(key, CONTEXT);
      expect(Buffer.from(inner).includes(key.subarray(0, 8))).toBe(false);
      expect(Buffer.from(await kek.unwrap(inner, CONTEXT))).toEqual(key);
      await expectViolation(kek.unwrap(inner, flipBit(CONTEXT, 3)));
      for (let bit = 0; bit < 8 * inner.length; bit += 1) {
        await expectViolation(kek.unwrap(flipBit(inner, bit), CONTEXT));
      }
    });

    it('wraps a key to other bytes each time, and leaves it to its owner', async () => {
      const key = randomBytes(32);
      const before = Buffer.from(key);
      expect(await kek.wrap(key, CONTEXT)).not.toEqual(await kek.wrap(key, CONTEXT));
      expect(key).toEqual(before);
    });

    it('refuses to wrap what is no key', async () => {
      for (const key of [new Uint8Array(0), randomBytes(31), randomBytes(33), new Uint8Array(32)]) {
        await expectViolation(kek.wrap(key, CONTEXT));
      }
    });

    it('serves many at once', async () => {
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const key = randomBytes(32);
          const context = Buffer.from(`context ${index}`);
          const inner = await kek.wrap(key, context);
          const again = await trial.backend.openKek(active, wrapped, CONTEXT);
          expect(Buffer.from(await again.unwrap(inner, context))).toEqual(key);
          again.close();
        }),
      );
    });

    it('does nothing with a KEK that was closed, and leaves others of the same bytes open', async () => {
      const closed = await trial.backend.openKek(active, wrapped, CONTEXT);
      const inner = await closed.wrap(randomBytes(32), CONTEXT);
      closed.close();
      await expect(closed.wrap(randomBytes(32), CONTEXT)).rejects.toBeInstanceOf(CofferError);
      await expect(closed.unwrap(inner, CONTEXT)).rejects.toBeInstanceOf(CofferError);
      await kek.unwrap(inner, CONTEXT);
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
  });
}
