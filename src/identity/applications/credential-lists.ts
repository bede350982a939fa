import { decodeFields, encodeFields, type Field, list, text } from '../../crypto/encoding.ts';
import { CofferError } from '../../errors.ts';
import type { AccessRule } from '../../policy/actor.ts';

/** A role by its id, under the name that it had when the credential was made. */
export interface GivenRole {
  id: string;
  name: string;
}

/** An access rule under the id by which its owner lists it. */
export interface GivenAccessRule extends AccessRule {
  id: string;
}

/** Canonical: (id, name) each, sorted by id (FORMAT.md §6). */
export function encodeRoles(roles: readonly GivenRole[]): Uint8Array {
  const sorted = [...roles].sort((a, b) => (a.id < b.id ? -1 : 1));
  return encodeFields(sorted.map(({ id, name }) => list([text(id), text(name)])));
}

/** @throws CofferError `integrity_violation` for anything that `encodeRoles` cannot have written. */
export function decodeRoles(encoded: Uint8Array): GivenRole[] {
  return decodeFields(encoded).map((field) => {
    const [id = '', name = ''] = textsOf(field, 2);
    return { id, name };
  });
}

/** Canonical: (id, service, method, path) each, sorted by id (FORMAT.md §6). Null restricts nothing. */
export function encodeAccessRules(rules: readonly GivenAccessRule[] | null): Uint8Array | null {
  if (rules === null) return null;
  const sorted = [...rules].sort((a, b) => (a.id < b.id ? -1 : 1));
  return encodeFields(
    sorted.map(({ id, service, method, path }) => list([text(id), text(service), text(method), text(path)])),
  );
}

/** @throws CofferError `integrity_violation` for anything that `encodeAccessRules` cannot have written. */
export function decodeAccessRules(encoded: Uint8Array | null): GivenAccessRule[] | null {
  if (encoded === null) return null;
  return decodeFields(encoded).map((field) => {
    const [id = '', service = '', method = '', path = ''] = textsOf(field, 4);
    return { id, service, method, path };
  });
}

function textsOf(field: Field, count: number): string[] {
  const texts = field.kind === 'list' ? field.value.map(textOf) : [];
  if (texts.length !== count) throw violated();
  return texts;
}

function textOf(field: Field): string {
  if (field.kind !== 'text') throw violated();
  return field.value;
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
