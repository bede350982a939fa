import type { Db } from '../db/open.ts';

/** Rotations under way, by what they do now, and the rows of them. */
export interface RotationFigures {
  moving: bigint;
  waiting: bigint;
  blocked: bigint;
  moved: bigint;
  damaged: bigint;
}

/** As the servers report it: one that is blocked is left alone for much longer than a lease is. */
export async function readRotationFigures(db: Db): Promise<RotationFigures | undefined> {
  const { rows } = await db.query<RotationFigures>({
    name: 'rotation-figures',
    text: `SELECT count(*) FILTER (WHERE drained IS NULL AND NOT blocked) AS moving,
        count(*) FILTER (WHERE drained IS NOT NULL) AS waiting,
        count(*) FILTER (WHERE drained IS NULL AND blocked) AS blocked,
        coalesce(sum(rewrapped), 0)::bigint AS moved, coalesce(sum(damaged), 0)::bigint AS damaged
      FROM (SELECT *, coalesce(leased_until > now() + interval '60 s', false) AS blocked FROM kek_rotations)
        AS rotations`,
  });
  return rows[0];
}

/** KEKs of one master key. */
export interface KekFigures {
  store: string;
  master_key_id: string;
  keks: bigint;
  /** Seconds since the oldest was made. */
  oldest: number;
}

/** By master key, those with most KEKs first. Whoever writes the database can write names here. */
export async function readKekFigures(db: Db, limit: number): Promise<KekFigures[]> {
  const { rows } = await db.query<KekFigures>({
    name: 'kek-figures',
    text: `SELECT left(store, 64) AS store, left(master_key_id, 64) AS master_key_id, count(*) AS keks,
        coalesce(extract(epoch FROM now() - min(created)), 0)::float8 AS oldest
      FROM keks GROUP BY 1, 2 ORDER BY keks DESC, 1, 2 LIMIT $1`,
    values: [limit],
  });
  return rows;
}

/** The most that a key of each kind has encrypted. */
export async function readWrapFigures(db: Db): Promise<{ kind: string; wraps: bigint }[]> {
  const { rows } = await db.query<{ kind: string; wraps: bigint }>({
    name: 'wrap-figures',
    text: `SELECT kind, max(wraps) AS wraps FROM wrap_counts WHERE kind IN ('kek', 'master-key') GROUP BY kind`,
  });
  return rows;
}
