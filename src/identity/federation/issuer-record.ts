import { decodeFields, encodeFields, list, text } from '../../crypto/encoding.ts';
import type { IssuerRow } from '../../db/schema.ts';
import { CofferError } from '../../errors.ts';
import type { Demands } from './workload-jwt.ts';

/** Canonical: a list of (name, value), sorted by name (FORMAT.md §6). */
export function encodeClaims(claims: ReadonlyMap<string, string>): Uint8Array {
  const pairs = [...claims].sort(([a], [b]) => (a < b ? -1 : 1));
  return encodeFields(pairs.map(([name, value]) => list([text(name), text(value)])));
}

/** @throws CofferError `integrity_violation` for anything that `encodeClaims` cannot have written. */
function decodeClaims(encoded: Uint8Array): ReadonlyMap<string, string> {
  const claims = new Map<string, string>();
  for (const pair of decodeFields(encoded)) {
    const [name, value] = pair.kind === 'list' ? pair.value : [];
    if (name?.kind !== 'text' || value?.kind !== 'text') throw violated();
    claims.set(name.value, value.value);
  }
  return claims;
}

/** Canonical: sorted, each once (FORMAT.md §6). */
export function encodeRoleIds(ids: readonly string[]): Uint8Array {
  return encodeFields([...new Set(ids)].sort().map((id) => text(id)));
}

/** @throws CofferError `integrity_violation` for anything that `encodeRoleIds` cannot have written. */
export function decodeRoleIds(encoded: Uint8Array): readonly string[] {
  return decodeFields(encoded).map((field) => {
    if (field.kind !== 'text') throw violated();
    return field.value;
  });
}

/** What a verified row asks of a JWT. */
export function demandsOf(issuer: IssuerRow): Demands {
  const { issuer_url, audience, claims } = issuer;
  return { issuer: issuer_url, audience, claims: decodeClaims(claims) };
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
