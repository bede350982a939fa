import type { IssuerRow } from '../../db/schema.ts';
import { CofferError } from '../../errors.ts';
import type { FailureLog } from '../../http/failure-log.ts';
import { type Algorithm, candidatesOf, parseKeySet, type PublicKey } from './key-set.ts';
import { KeySetProblem } from './key-set-fetch.ts';

export interface KeySets {
  /**
   * The keys of an issuer that may have made a signature; none when its set has no such key.
   *
   * @throws CofferError `unavailable` while there is no set that is young enough.
   */
  find(issuer: IssuerRow, kid: string | undefined, alg: Algorithm): Promise<readonly PublicKey[]>;
}

interface Entry {
  /** The address, and what is allowed there. */
  source: string;
  keys: readonly PublicKey[] | undefined;
  readAt: number;
  triedAt: number;
  /** The last reading did. */
  failed: boolean;
  reading: Promise<void> | undefined;
}

/** From this age a set is read anew before it is used. */
const FRESH_MS = 5 * 60_000;
/** For so long a set is used while its address does not answer. */
const STALE_MS = 60 * 60_000;
/** No issuer's address is asked more often, whatever tokens come in and however it answers. */
const FETCH_EVERY_MS = 10_000;
const ENTRIES_MAX = 1_000;

export interface KeySetsOptions {
  fetch: (issuer: IssuerRow) => Promise<Uint8Array>;
  log: Pick<FailureLog, 'warn'>;
  /** Milliseconds of a clock that nobody sets back. */
  now?: () => number;
}

/** The key sets of issuers: stored ones from their rows, others from their address, in single flight. */
export function createKeySets({ fetch, log, now = () => performance.now() }: KeySetsOptions): KeySets {
  const entryOf = createEntries();

  const read = async (issuer: IssuerRow, entry: Entry): Promise<void> => {
    try {
      entry.keys = parseKeySet(await fetch(issuer));
      entry.readAt = now();
      entry.failed = false;
    } catch (error) {
      entry.failed = true;
      if (!(error instanceof KeySetProblem)) throw error;
      log.warn({ issuer: issuer.name, problem: error.message }, 'the key set of an issuer was not read');
    }
  };

  const refresh = async (issuer: IssuerRow, entry: Entry): Promise<void> => {
    if (entry.reading === undefined) {
      if (now() - entry.triedAt < FETCH_EVERY_MS) return;
      entry.triedAt = now();
      entry.reading = read(issuer, entry).finally(() => {
        entry.reading = undefined;
      });
    }
    await entry.reading;
  };

  return {
    find: async (issuer, kid, alg) => {
      if (issuer.key_set !== null) return candidatesOf(parseKeySet(issuer.key_set), kid, alg);
      const entry = entryOf(issuer);
      const known = candidatesOf(entry.keys ?? [], kid, alg);
      if (known.length === 0) await refresh(issuer, entry);
      else if (now() - entry.readAt > FRESH_MS) {
        // While the address is down nobody waits for it who can do without.
        const isNeeded = !entry.failed || now() - entry.readAt > STALE_MS;
        const refreshing = refresh(issuer, entry);
        if (!isNeeded)
          refreshing.catch((error: unknown) => log.warn({ err: error }, 'a key set was not read'));
        else await refreshing;
      }
      if (entry.keys === undefined || now() - entry.readAt > STALE_MS) {
        throw new CofferError('unavailable', 'The keys of the issuer cannot be read; try again.', {
          retryAfterSeconds: FETCH_EVERY_MS / 1000,
        });
      }
      return candidatesOf(entry.keys, kid, alg);
    },
  };
}

/** What is known of each issuer's set; of too many, the one longest known is forgotten. */
function createEntries(): (issuer: IssuerRow) => Entry {
  const entries = new Map<string, Entry>();
  return ({ id, jwks_url, allow_private, allow_http }) => {
    const known = entries.get(id);
    const source = JSON.stringify([jwks_url, allow_private, allow_http]);
    if (known?.source === source) return known;
    const entry: Entry = {
      source,
      keys: undefined,
      readAt: Number.NEGATIVE_INFINITY,
      // Another address is asked no more often for being another one.
      triedAt: known?.triedAt ?? Number.NEGATIVE_INFINITY,
      failed: false,
      reading: undefined,
    };
    const oldest = entries.keys().next().value;
    if (entries.size >= ENTRIES_MAX && oldest !== undefined) entries.delete(oldest);
    entries.set(id, entry);
    return entry;
  };
}
