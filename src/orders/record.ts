import { decodeFields, encodeFields, text } from '../crypto/encoding.ts';
import { CofferError } from '../errors.ts';

/** The names of an actor's roles in an order's row (FORMAT.md §6). */
export function encodeRoles(roles: readonly string[]): Uint8Array {
  return encodeFields(roles.map(text));
}

/** @throws CofferError `integrity_violation` for anything that `encodeRoles` cannot have written. */
export function decodeRoles(encoded: Uint8Array): string[] {
  return decodeFields(encoded).map((field) => {
    if (field.kind !== 'text') throw new CofferError('integrity_violation', 'Integrity Violation');
    return field.value;
  });
}
