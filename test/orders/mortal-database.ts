import type { Db, Queryable, Statement } from '../../src/db/open.ts';

/** A worker that was killed: nothing it does reaches the database any more. */
class Death extends Error {}

export interface Fate {
  /** The call at which it comes, from 1. */
  at: number;
  /** Whether the statement of that call was still done. */
  done: boolean;
}

export interface MortalDb {
  db: Db;
  hasDied: () => boolean;
}

/** A database as a worker sees it that is killed at one of its calls; a commit is a call too. */
export function mortalDb(db: Db, { at, done }: Fate): MortalDb {
  let calls = 0;
  let isDead = false;
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isDead) throw new Death();
    calls += 1;
    if (calls < at) return await work();
    isDead = true;
    if (done) await work();
    throw new Death();
  };
  const query =
    (target: Queryable): Queryable['query'] =>
    async (statement: Statement) =>
      await call(async () => await target.query(statement));
  const mortal: Db = {
    ...db,
    query: query(db),
    transaction: async (use) => {
      let commit: (() => void) | undefined;
      const result = await db.transaction(async (tx) => {
        const value = await use({ query: query(tx) });
        // The commit itself: not done it is a rollback, done it is one that nobody heard of.
        if (isDead) throw new Death();
        calls += 1;
        if (calls === at && !done) {
          isDead = true;
          throw new Death();
        }
        commit = () => {
          if (calls === at) isDead = true;
        };
        return value;
      });
      commit?.();
      if (isDead) throw new Death();
      return result;
    },
  };
  return { db: mortal, hasDied: () => isDead };
}
