import { callbackify } from 'node:util';
import type pg from 'pg';

/**
 * How a call to the database goes wrong: the connection breaks before the statement is sent; it breaks after
 * the statement was done, so that nobody hears of it; the server gives the statement up.
 */
export const FAULTS = ['broken before', 'broken after', 'timed out'] as const;
/** The process ends, before the statement is sent or once it was done; nothing of it happens after that. */
export const KILLS = ['killed before', 'killed after'] as const;
export type Fault = (typeof FAULTS)[number] | (typeof KILLS)[number];

export interface FailingCalls {
  /** The n-th call from now on fails, once. */
  arm(fault: Fault, n: number): void;
  /** No call fails from now on. */
  disarm(): void;
  /** Whether the call that was to fail was made. */
  hasStruck(): boolean;
  /** The statement of that call. */
  struckAt(): string | undefined;
  /** Breaks all connections, and every one that is made from now on. */
  kill(): void;
}

type Callback = (error: Error | null, result: pg.QueryResult) => void;
type Query = (...args: unknown[]) => Promise<pg.QueryResult> | undefined;
const CANCELED = `DO $$ BEGIN RAISE EXCEPTION 'canceled' USING ERRCODE = '57014'; END $$`;

/** Puts faults between a pool and its server. What fails is a real connection, or a real statement. */
export function failCallsOf(pool: pg.Pool): FailingCalls {
  const patched = new Set<pg.PoolClient>();
  let armed: { fault: Fault; n: number } | undefined;
  let struck = false;
  let struckAt: string | undefined;
  let isDead = false;

  const kill = (): void => {
    isDead = true;
    for (const client of patched) cut(client);
  };

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
    client.once('end', () => patched.delete(client));
    const query = client.query.bind(client) as unknown as Query;
    const run = async (fault: Fault, args: unknown[]): Promise<pg.QueryResult> => {
      if (fault === 'timed out') return (await query(CANCELED)) as pg.QueryResult;
      if (fault === 'broken after' || fault === 'killed after') await query(...args);
      if (fault === 'killed before' || fault === 'killed after') kill();
      cut(client);
      return (await query(...args)) as pg.QueryResult;
    };
    const failing = (...args: unknown[]): Promise<pg.QueryResult> | undefined => {
      const fault = isDead ? 'killed before' : strike();
      if (fault === undefined) return query(...args);
      struckAt = textOf(args[0]);
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
      struckAt = undefined;
    },
    disarm: () => {
      armed = undefined;
    },
    hasStruck: () => struck,
    struckAt: () => struckAt,
    kill,
  };
}

function textOf(statement: unknown): string {
  return typeof statement === 'string' ? statement : (statement as pg.QueryConfig).text;
}

function cut(client: pg.PoolClient): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
