import { callbackify } from 'node:util';
import type pg from 'pg';

/**
 * How a call to the database goes wrong: the connection breaks before the statement is sent; it breaks after
 * the statement was done, so that nobody hears of it; the server gives the statement up.
 */
export const FAULTS = ['broken before', 'broken after', 'timed out'] as const;
export type Fault = (typeof FAULTS)[number];

export interface FailingCalls {
  /** The n-th call from now on fails, once. */
  arm(fault: Fault, n: number): void;
  /** No call fails from now on. */
  disarm(): void;
  /** Whether the call that was to fail was made. */
  hasStruck(): boolean;
}

type Callback = (error: Error | null, result: pg.QueryResult) => void;
type Query = (...args: unknown[]) => Promise<pg.QueryResult> | undefined;
const CANCELED = `DO $$ BEGIN RAISE EXCEPTION 'canceled' USING ERRCODE = '57014'; END $$`;

/** Puts faults between a pool and its server. What fails is a real connection, or a real statement. */
export function failCallsOf(pool: pg.Pool): FailingCalls {
  const patched = new WeakSet<pg.PoolClient>();
  let armed: { fault: Fault; n: number } | undefined;
  let struck = false;

  const strike = (): Fault | undefined => {
    if (armed === undefined) return undefined;
    armed.n -= 1;
    if (armed.n > 0) return undefined;
    const { fault } = armed;
    armed = undefined;
    struck = true;
    return fault;
  };

  pool.on('acquire', (client) => {
    if (patched.has(client)) return;
    patched.add(client);
    const query = client.query.bind(client) as unknown as Query;
    const cut = (): void => {
      (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    };
    const run = async (fault: Fault, args: unknown[]): Promise<pg.QueryResult> => {
      if (fault === 'timed out') return (await query(CANCELED)) as pg.QueryResult;
      if (fault === 'broken after') await query(...args);
      cut();
      return (await query(...args)) as pg.QueryResult;
    };
    const failing = (...args: unknown[]): Promise<pg.QueryResult> | undefined => {
      const fault = strike();
      if (fault === undefined) return query(...args);
      const last = args.at(-1);
      if (typeof last !== 'function') return run(fault, args);
      callbackify(run)(fault, args.slice(0, -1), last as Callback);
      return undefined;
    };
    client.query = failing as unknown as typeof client.query;
  });

  return {
    arm: (fault, n) => {
      armed = { fault, n };
      struck = false;
    },
    disarm: () => {
      armed = undefined;
    },
    hasStruck: () => struck,
  };
}
