import { setTimeout as wait } from 'node:timers/promises';
import { CofferError } from '../../src/errors.ts';
import type { CryptoBackend, OpenKek } from '../../src/keyring/backend.ts';
import type { Stores } from '../../src/keyring/stores.ts';

/**
 * How a call to a crypto backend, or to a KEK that is open, goes wrong: it is away before it was asked; it
 * was done and its answer is lost; it hangs, until whoever asked gives up.
 */
export const BACKEND_FAULTS = ['away before', 'away after', 'too late'] as const;
/** The process ends, before the call or once it was done. */
export const BACKEND_KILLS = ['killed before', 'killed after'] as const;
export type BackendFault = (typeof BACKEND_FAULTS)[number] | (typeof BACKEND_KILLS)[number];

export interface FailingBackends {
  stores: Stores;
  /** The n-th call from now on fails, once. */
  arm(fault: BackendFault, n: number): void;
  disarm(): void;
  hasStruck(): boolean;
}

const HANGS_MS = 20;
type Asked = (...args: unknown[]) => unknown;
type Pass = <T>(call: () => Promise<T>) => Promise<T>;

/** Puts faults between a keyring and its backends. `kill` ends all else that the process does. */
export function failBackendsOf(stores: Stores, kill: () => void): FailingBackends {
  let armed: { fault: BackendFault; n: number } | undefined;
  let struck = false;
  let isDead = false;

  const strike = (): BackendFault | undefined => {
    if (armed === undefined) return undefined;
    armed.n -= 1;
    if (armed.n > 0) return undefined;
    const { fault } = armed;
    armed = undefined;
    struck = true;
    return fault;
  };

  const pass: Pass = async (call) => {
    if (isDead) throw away();
    const fault = strike();
    if (fault === undefined) return await call();
    if (fault === 'away after' || fault === 'killed after') await call();
    if (fault === 'too late') await wait(HANGS_MS);
    if (fault === 'killed before' || fault === 'killed after') {
      isDead = true;
      kill();
    }
    throw away();
  };

  const wrapped = new Map<CryptoBackend, CryptoBackend>();
  const wrap = (backend: CryptoBackend): CryptoBackend => {
    const known = wrapped.get(backend) ?? failingBackend(backend, pass);
    wrapped.set(backend, known);
    return known;
  };
  return {
    stores: {
      ...stores,
      find: (name) => {
        const found = stores.find(name);
        return found && wrap(found);
      },
      get: (name) => wrap(stores.get(name)),
      namesOf: (backend) => {
        const [original] = [...wrapped].find(([, known]) => known === backend) ?? [backend];
        return stores.namesOf(original);
      },
    },
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

function failingBackend(backend: CryptoBackend, pass: Pass): CryptoBackend {
  const others = failing(backend, pass);
  return new Proxy(others, {
    get: (target, name): unknown => {
      if (name === 'createKek') {
        const create: CryptoBackend['createKek'] = async (...asked) => {
          const { wrapped, kek } = await target.createKek(...asked);
          return { wrapped, kek: failing(kek, pass) };
        };
        return create;
      }
      if (name === 'openKek') {
        const open: CryptoBackend['openKek'] = async (...asked) =>
          failing(await target.openKek(...asked), pass);
        return open;
      }
      return Reflect.get(target, name);
    },
  });
}

/** What answers at once, from memory, cannot fail. */
const AT_ONCE = new Set<string | symbol>(['activeMasterKeyId', 'close']);

function failing<T extends CryptoBackend | OpenKek>(target: T, pass: Pass): T {
  return new Proxy(target, {
    get: (object, name): unknown => {
      const value: unknown = Reflect.get(object, name);
      if (typeof value !== 'function') return value;
      const call = (...asked: unknown[]): unknown => Reflect.apply(value as Asked, object, asked);
      if (AT_ONCE.has(name)) return call;
      return async (...asked: unknown[]) => await pass(async () => await call(...asked));
    },
  });
}

function away(): CofferError {
  return new CofferError('unavailable', 'The backend is away.', { retryAfterSeconds: 1 });
}
