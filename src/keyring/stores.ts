import { createHash } from 'node:crypto';
import { encodeMessage, text } from '../crypto/encoding.ts';
import { CofferError, StoreAway } from '../errors.ts';
import type { CryptoBackend } from './backend.ts';

/** The store of an installation that names none. */
const ONLY_STORE = 'software';

/** The crypto backends of an installation, as the secret stores that they are. */
export interface Stores {
  /** In the order of the configuration; the first is the default. */
  readonly names: readonly [string, ...string[]];
  /** Undefined for one that the configuration does not name. */
  find(name: string): CryptoBackend | undefined;
  /** @throws StoreAway for one that the configuration does not name. */
  get(name: string): CryptoBackend;
  /** The names that rows of its KEKs may have. */
  namesOf(backend: CryptoBackend): readonly string[];
  close(): void;
}

/** Owns the backends from now on. */
export function createStores(backends: readonly [CryptoBackend, ...CryptoBackend[]]): Stores {
  const [first, ...others] = backends;
  const byName = new Map(backends.map((backend) => [backend.store, backend]));
  // Keys that were made before stores had names are in what is now the first.
  if (!byName.has(ONLY_STORE)) byName.set(ONLY_STORE, first);
  const find = (name: string): CryptoBackend | undefined => byName.get(name);
  return {
    names: [first.store, ...others.map(({ store }) => store)],
    find,
    get: (name) => {
      const backend = find(name);
      if (backend === undefined) throw new StoreAway();
      return backend;
    },
    namesOf: (backend) => [...byName.keys()].filter((name) => byName.get(name) === backend),
    close: () => {
      for (const backend of backends) backend.close();
    },
  };
}

/**
 * What a backend does not do now concerns those whose keys are there, and not the whole server. What it says
 * of that may name files and tokens: it goes on as the cause alone.
 */
export function throwAway(error: unknown): never {
  throw error instanceof CofferError && error.code === 'unavailable' ? new StoreAway(error) : error;
}

/** The id of a store, the same on every server and after every restart (FORMAT.md §1): a version 8 UUID. */
export function storeId(installationId: Uint8Array, name: string): string {
  const digest = createHash('sha256')
    .update(encodeMessage('secret-store', installationId, [text(name)]))
    .digest()
    .subarray(0, 16);
  digest[6] = ((digest[6] as number) & 0x0f) | 0x80;
  digest[8] = ((digest[8] as number) & 0x3f) | 0x80;
  return digest.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
