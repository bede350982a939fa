import type pg from 'pg';
import type { Db } from './open.ts';

export interface Listener {
  close(): Promise<void>;
}

const RECONNECT_MS = 1_000;

interface Pings {
  everyMs: number;
  timeoutMs: number;
}

/**
 * Calls `onMessage` for each NOTIFY on the channel, and with `undefined` after a time in which some may have
 * been missed. Messages only make caches read again sooner: nothing rests on their arrival, or on their being
 * genuine. A connection that only waits never learns that its other end is gone: it is asked now and then.
 */
export function listen(
  db: Db,
  channel: string,
  onMessage: (payload: string | undefined) => void,
  pings: Pings = { everyMs: 30_000, timeoutMs: 5_000 },
): Listener {
  let client: pg.PoolClient | undefined;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;

  const reconnect = (): void => {
    if (closed) return;
    retry = setTimeout(() => {
      connecting = connect();
    }, RECONNECT_MS).unref();
  };
  // A broken connection says so up to three times: with an error, its end, and the failure of a query.
  const drop = (broken: pg.PoolClient): void => {
    if (client !== broken) return;
    client = undefined;
    broken.release(true);
    reconnect();
  };
  const connect = async (): Promise<void> => {
    // While the database is away everyone who asks it is told so; this only waits for its return.
    const fresh = await db.pool.connect().catch(() => undefined);
    if (fresh === undefined) {
      reconnect();
      return;
    }
    if (closed) {
      fresh.release(true);
      return;
    }
    client = fresh;
    fresh.on('error', () => drop(fresh));
    fresh.once('end', () => drop(fresh));
    fresh.on('notification', (message) => onMessage(message.payload));
    try {
      await fresh.query(`LISTEN ${channel}`);
      ping(fresh, pings, () => drop(fresh));
      onMessage(undefined);
    } catch {
      drop(fresh);
    }
  };
  let connecting = connect();
  return {
    close: async () => {
      closed = true;
      clearTimeout(retry);
      await connecting;
      const last = client;
      client = undefined;
      last?.release(true);
    },
  };
}

/** Asks again and again, until an answer fails to come: at the latest when the connection was given back. */
function ping(client: pg.PoolClient, { everyMs, timeoutMs }: Pings, onFailure: () => void): void {
  // Not in the driver's types: an answer that is late fails the query.
  const question: pg.QueryConfig & { query_timeout: number } = { text: 'SELECT 1', query_timeout: timeoutMs };
  const later = (): void => {
    setTimeout(() => void client.query(question).then(later, onFailure), everyMs).unref();
  };
  later();
}
