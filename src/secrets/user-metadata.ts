import { decodeFields, encodeFields, list, text } from '../crypto/encoding.ts';
import { CofferError } from '../errors.ts';
import type { UserMetadata } from './metadata.ts';

/** Canonical: a list of (key, value), sorted by key (FORMAT.md §6). Null for none. */
export function encodeUserMetadata(metadata: UserMetadata): Uint8Array | null {
  if (metadata.size === 0) return null;
  const pairs = [...metadata].sort(([a], [b]) => (a < b ? -1 : 1));
  return encodeFields(pairs.map(([key, value]) => list([text(key), text(value)])));
}

/** @throws CofferError `integrity_violation` for anything that `encodeUserMetadata` cannot have written. */
export function decodeUserMetadata(encoded: Uint8Array | null): UserMetadata {
  const metadata = new Map<string, string>();
  for (const pair of encoded === null ? [] : decodeFields(encoded)) {
    const [key, value] = pair.kind === 'list' ? pair.value : [];
    if (key?.kind !== 'text' || value?.kind !== 'text') {
      throw new CofferError('integrity_violation', 'Integrity Violation');
    }
    metadata.set(key.value, value.value);
  }
  return metadata;
}
