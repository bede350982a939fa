import { unwrapKey, wipe, wrapKey } from '../crypto/envelope.ts';
import type { OpenKek } from './backend.ts';

/** A KEK in memory. Owns `key`: `close` wipes it, and a wiped key is refused by every call after. */
export function openSoftwareKek(key: Uint8Array): OpenKek {
  return {
    wrap: async (inner, context) => wrapKey(key, inner, context),
    unwrap: async (wrapped, context) => unwrapKey(key, wrapped, context),
    close: () => wipe(key),
  };
}
