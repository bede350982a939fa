import { refTo } from '../http/refs.ts';
import { formatTimestamp } from '../http/timestamps.ts';
import type { SecretStore } from './service.ts';

/** The names that Barbican has for what does the same. */
const PLUGINS: ReadonlyMap<string, string> = new Map([
  ['software', 'simple_crypto'],
  ['pkcs11', 'p11_crypto'],
]);

export function formatStore(store: SecretStore, publicUrl: string): Record<string, unknown> {
  return {
    created: formatTimestamp(store.created),
    updated: formatTimestamp(store.created),
    status: 'ACTIVE',
    name: store.name,
    global_default: store.isDefault,
    crypto_plugin: PLUGINS.get(store.kind) ?? null,
    secret_store_plugin: 'store_crypto',
    secret_store_ref: refTo(publicUrl, 'secret-stores', store.id),
  };
}
