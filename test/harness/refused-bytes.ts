import { expect } from 'vitest';
import { CofferError } from '../../src/errors.ts';

export const CONTEXT = Buffer.from('the context of a KEK');

/** One answer to whatever was wrong: it tells nobody what to try next. */
export async function expectViolation(action: Promise<unknown>): Promise<void> {
  const error = await action.then(
    () => expect.unreachable('it was accepted'),
    (refusal: unknown) => refusal,
  );
  expect(error).toBeInstanceOf(CofferError);
  expect(error).toMatchObject({ code: 'integrity_violation', message: 'Integrity Violation' });
}

export function flipBit(input: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(input);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

/** Each bit flipped, cut off at each byte, without its first, and longer at either end. */
export function damagedCopies(input: Uint8Array): Uint8Array[] {
  const flipped = Array.from({ length: 8 * input.length }, (_, bit) => flipBit(input, bit));
  const cut = Array.from({ length: input.length }, (_, length) => input.subarray(0, length));
  const more = Buffer.alloc(1);
  return [
    ...flipped,
    ...cut,
    input.subarray(1),
    Buffer.concat([input, more]),
    Buffer.concat([more, input]),
    Buffer.concat([input, input]),
  ];
}
