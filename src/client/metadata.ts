import { parseSecretId } from './address.ts';
import type { CallOptions, Session } from './session.ts';

const json = { 'content-type': 'application/json' };

/**
 * Texts that are kept beside a secret's value: readable to all who may see the secret, and no place for
 * secrets.
 */
export class SecretMetadata {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  #path(secret: string, key?: string): string {
    const path = `/v1/secrets/${parseSecretId(secret)}/metadata`;
    return key === undefined ? path : `${path}/${encodeURIComponent(key)}`;
  }

  /** All keys with their values. */
  async list(secret: string, options: CallOptions = {}): Promise<Record<string, string>> {
    const request = { method: 'GET', path: this.#path(secret), idempotent: true, ...options } as const;
    const body = await this.#session.sendForJson(request);
    return (body.metadata ?? {}) as Record<string, string>;
  }

  /** Replaces the whole set; `{}` clears it. Keys are letters, digits, `_` and `-`, stored in lower case. */
  async replace(secret: string, metadata: Record<string, string>, options: CallOptions = {}): Promise<void> {
    const body = JSON.stringify({ metadata });
    const request = {
      method: 'PUT',
      path: this.#path(secret),
      headers: json,
      body,
      idempotent: true,
    } as const;
    await this.#session.send({ ...request, ...options });
  }

  /** One value. Throws `CofferError` `not_found` when there is no such key. */
  async get(secret: string, key: string, options: CallOptions = {}): Promise<string> {
    const request = { method: 'GET', path: this.#path(secret, key), idempotent: true, ...options } as const;
    return String((await this.#session.sendForJson(request)).value);
  }

  /** Adds a key. Throws `CofferError` `conflict` when it exists. */
  async add(secret: string, key: string, value: string, options: CallOptions = {}): Promise<void> {
    const body = JSON.stringify({ key, value });
    const request = {
      method: 'POST',
      path: this.#path(secret),
      headers: json,
      body,
      idempotent: false,
    } as const;
    await this.#session.send({ ...request, ...options });
  }

  /** Changes the value of a key. Throws `CofferError` `not_found` when there is no such key. */
  async update(secret: string, key: string, value: string, options: CallOptions = {}): Promise<void> {
    const body = JSON.stringify({ key, value });
    const path = this.#path(secret, key);
    await this.#session.send({ method: 'PUT', path, headers: json, body, idempotent: true, ...options });
  }

  /** Removes a key, whether or not it exists. */
  async delete(secret: string, key: string, options: CallOptions = {}): Promise<void> {
    await this.#session.send({
      method: 'DELETE',
      path: this.#path(secret, key),
      idempotent: true,
      ...options,
    });
  }
}
