import type { Coffer, QuotaResource } from '../coffer.ts';
import type { Queryable } from '../db/open.ts';
import type { ProjectRow } from '../db/schema.ts';
import { StaleRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { countUse } from './queries.ts';
import { type CountedTable, decodeLimits, LIMIT_OF } from './record.ts';

/** The limit that holds for a project: its own, or else that of the configuration; below 0 is none. */
function effectiveLimit(coffer: Coffer, project: ProjectRow, resource: QuotaResource): number {
  const own = project.limits === null ? undefined : decodeLimits(project.limits).get(resource);
  return own ?? coffer.limits.quotas[resource];
}

/**
 * Runs `write`, which makes one more row of a table in the project. Under a limit it runs alone, after a
 * count that no other creation can pass; without one it runs as it is. `project` is the verified row that was
 * read. `write` asks the database through what it is given, and nothing else.
 *
 * @throws CofferError `forbidden` at the limit. StaleRow when the project's limits may have changed since.
 */
export async function writeWithinQuota(
  coffer: Coffer,
  project: ProjectRow,
  table: CountedTable,
  name: string,
  write: (db: Queryable) => Promise<void>,
): Promise<void> {
  const limit = effectiveLimit(coffer, project, LIMIT_OF[table]);
  if (limit < 0) {
    await write(coffer.db);
    return;
  }
  await coffer.db.exclusive(`quota/${table}/${project.id}`, async (tx) => {
    const { isCurrent, used } = await countUse(tx, project, table, limit);
    if (!isCurrent) throw new StaleRow();
    if (used >= limit) {
      const reason = 'Creation not allowed because a quota has been reached.';
      throw new CofferError('forbidden', `${name} issue seen - ${reason}`);
    }
    await write(tx);
  });
}
