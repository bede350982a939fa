import { CofferError } from './coffer-error.ts';
import { idOfReference } from './secret.ts';
import type { CallOptions, Session } from './session.ts';

/** A place that holds keys. */
export interface SecretStore {
  id: string;
  name: string;
  /** Whether it is where secrets go that prefer none. */
  isDefault: boolean;
  /** As `simple_crypto`, a keyring file, or `p11_crypto`, a hardware module. */
  plugin: string | null;
}

const ALL = '/v1/secret-stores';

function parseStore(found: unknown): SecretStore {
  const { name, global_default, crypto_plugin, secret_store_ref } = found as Record<string, unknown>;
  return {
    id: idOfReference(String(secret_store_ref)),
    name: String(name),
    isDefault: global_default === true,
    plugin: typeof crypto_plugin === 'string' ? crypto_plugin : null,
  };
}

/**
 * The secret stores of a server that has several; on others every method throws `not_found`. All methods
 * throw `CofferError`.
 */
export class SecretStores {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async #get(path: string, options: CallOptions): Promise<Record<string, unknown>> {
    return await this.#session.sendForJson({ method: 'GET', path, idempotent: true, ...options });
  }

  async list(options: CallOptions = {}): Promise<SecretStore[]> {
    const { secret_stores } = await this.#get(ALL, options);
    return (Array.isArray(secret_stores) ? secret_stores : []).map(parseStore);
  }

  /** Where secrets of projects go that prefer no store. */
  async default(options: CallOptions = {}): Promise<SecretStore> {
    return parseStore(await this.#get(`${ALL}/global-default`, options));
  }

  /** Where new secrets of the project go. Throws `not_found` where it prefers none. */
  async preferred(options: CallOptions = {}): Promise<SecretStore> {
    return parseStore(await this.#get(`${ALL}/preferred`, options));
  }

  /** Has new secrets of the project go to a store, by its name or id. */
  async prefer(store: string, options: CallOptions = {}): Promise<void> {
    const found = (await this.list(options)).find(({ id, name }) => id === store || name === store);
    if (found === undefined) throw new CofferError('not_found', `there is no secret store ${store}`);
    const path = `${ALL}/${found.id}/preferred`;
    await this.#session.send({ method: 'POST', path, idempotent: true, ...options });
  }

  /** Has new secrets of the project go to the default store. Throws `not_found` where it prefers none. */
  async unprefer(options: CallOptions = {}): Promise<void> {
    const { id } = await this.preferred(options);
    await this.#session.send({
      method: 'DELETE',
      path: `${ALL}/${id}/preferred`,
      idempotent: true,
      ...options,
    });
  }
}
