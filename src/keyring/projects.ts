import type { ProjectRow } from '../db/schema.ts';

/** A project's row before it is sealed. */
export function newProject(
  id: string,
  origin: 'local' | 'external' | 'system',
  epoch: bigint,
  created: Date,
  columns: Partial<ProjectRow>,
): Omit<ProjectRow, 'seal'> {
  return {
    id,
    origin,
    domain_id: null,
    name: null,
    name_key: null,
    description: null,
    enabled: true,
    tokens_valid_from: null,
    active_epoch: 0n,
    least_epoch: 0n,
    limits: null,
    preferred_store: null,
    deleted: null,
    extra: null,
    master_keys: null,
    created,
    updated: created,
    revision: 1n,
    epoch,
    ...columns,
  };
}

/**
 * Whether a project has a KEK to write under. One that was deleted and is used again has not: its epochs go
 * on behind those of before.
 */
export function hasKek({ active_epoch: active, least_epoch: least }: ProjectRow): boolean {
  return active > 0n && active >= least;
}
