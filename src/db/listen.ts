import type pg from 'pg';
import type { Db } from './open.ts';

export interface Listener {
  close(): Promise<void>;
}

const RECONNECT_MS = 1_000;

/**
 * Calls `onMessage` for each NOTIFY on the channel, and with `undefined` after a time in which some may have been
 * missed. Messages only make caches read again sooner: nothing rests on their arrival, or on their being genuine.
 */
export function listen(db: Db, channel: string, onMessage: (payload: string | undefined) => void): Listener {
  let client: pg.PoolClient | undefined;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;

  const again = (): void => {
    client?.release(true);
    client = undefined;
    if (!closed) retry = setTimeout(() => void connect(), RECONNECT_MS).unref();
  };
  const connect = async (): Promise<void> => {
    try {
      const fresh = await db.pool.connect();
      if (closed) {
        fresh.release(true);
        return;
      }
      client = fresh;
      fresh.once('error', again);
      fresh.once('end', again);
      fresh.on('notification', (message) => onMessage(message.payload));
      await fresh.query(`LISTEN ${channel}`);
      onMessage(undefined);
    } catch {
      // The database is away: everyone who asks it is told so; this only waits for its return.
      again();
    }
  };
  const connecting = connect();
  return {
    close: async () => {
      closed = true;
      clearTimeout(retry);
      await connecting;
      client?.removeAllListeners('error').on('error', () => {});
      client?.removeAllListeners('end');
      client?.release(true);
    },
  };
}
