import { decodeFields, encodeFields, integer, list, text } from '../crypto/encoding.ts';
import { CofferError } from '../errors.ts';

/** What a project's limits may name. `cas` counts nothing: Barbican's clients still expect it. */
export const LIMITED = ['secrets', 'orders', 'containers', 'consumers', 'cas'] as const;
export type Limited = (typeof LIMITED)[number];

/**
 * What is counted against which limit. Consumers of secrets and consumers of containers have the same one,
 * and each of the two may fill it, as in Barbican.
 */
export const LIMIT_OF = {
  secrets: 'secrets',
  orders: 'orders',
  containers: 'containers',
  secret_consumers: 'consumers',
  container_consumers: 'consumers',
} as const;
export type CountedTable = keyof typeof LIMIT_OF;

/** A project's own limits, by resource; below 0 is no limit. What is missing takes the default. */
export type ProjectLimits = ReadonlyMap<Limited, number>;

/** Canonical: a list of (resource, limit), sorted by resource (FORMAT.md §6). None is not NULL, but empty. */
export function encodeLimits(limits: ProjectLimits): Uint8Array {
  const pairs = [...limits].sort(([a], [b]) => (a < b ? -1 : 1));
  return encodeFields(pairs.map(([name, limit]) => list([text(name), integer(BigInt(limit))])));
}

/** @throws CofferError `integrity_violation` for anything that `encodeLimits` cannot have written. */
export function decodeLimits(encoded: Uint8Array): ProjectLimits {
  const limits = new Map<Limited, number>();
  for (const pair of decodeFields(encoded)) {
    const [name, limit] = pair.kind === 'list' ? pair.value : [];
    const resource = LIMITED.find((known) => name?.kind === 'text' && known === name.value);
    if (resource === undefined || limit?.kind !== 'integer') {
      throw new CofferError('integrity_violation', 'Integrity Violation');
    }
    limits.set(resource, Number(limit.value));
  }
  return limits;
}
