import type { UserRow } from '../db/schema.ts';
import type { Fields } from './output.ts';

export function describeUser({ id, name, enabled, email, description, created }: UserRow): Fields {
  return { id, name, enabled: String(enabled), email, description, created: created.toISOString() };
}
