import { type Field, decodeFields, encodeFields, list, text, uuid } from '../crypto/encoding.ts';
import { CofferError } from '../errors.ts';

/** A secret's place in a container. */
export interface Slot {
  name: string | null;
  secretId: string;
}

/** In the order they were added (FORMAT.md §6). */
export function encodeSlots(slots: readonly Slot[]): Uint8Array {
  return encodeFields(slots.map(({ name, secretId }) => list([text(name), uuid(secretId)])));
}

/** @throws CofferError `integrity_violation` for anything that `encodeSlots` cannot have written. */
export function decodeSlots(encoded: Uint8Array): Slot[] {
  return decodeFields(encoded).map(slotOf);
}

function slotOf(field: Field): Slot {
  const [name, secretId, ...rest] = field.kind === 'list' ? field.value : [];
  const isNamed = name?.kind === 'text' || name?.kind === 'null';
  if (!isNamed || secretId?.kind !== 'uuid' || rest.length > 0) {
    throw new CofferError('integrity_violation', 'Integrity Violation');
  }
  return { name: name.kind === 'text' ? name.value : null, secretId: secretId.value };
}
