import { expect } from 'vitest';
import { CofferError } from '../../src/errors.ts';

/** Whatever was wrong, crypto says one thing, and nothing of what it saw. */
export function expectViolation(action: () => unknown): void {
  let caught: unknown;
  try {
    action();
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(CofferError);
  expect(caught).toMatchObject({ code: 'integrity_violation', message: 'Integrity Violation' });
}

/** A copy with one bit turned over. */
export function flipBit(input: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(input);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}
