import { parseSecretId } from './address.ts';
import { CofferError } from './coffer-error.ts';
import { SecretMetadata } from './metadata.ts';
import { encodePayload, inlinePayload, type Payload, secretFields } from './payload.ts';
import {
  formatFilter,
  idOfReference,
  type NewSecret,
  parseSecret,
  type PayloadContentType,
  type Secret,
  type SecretFilter,
  type SecretPage,
  type SecretReference,
} from './secret.ts';
import { SecretValue } from './secret-value.ts';
import type { CallOptions, Session } from './session.ts';

/** How to read a value. */
export interface PayloadOptions extends CallOptions {
  /** What the value prints as; its id when left out. */
  name?: string | undefined;
}

/** How to store a value. */
export interface UploadOptions extends CallOptions {
  /** `text/plain` for text and `application/octet-stream` for bytes when left out. */
  contentType?: 'text/plain' | 'application/octet-stream' | undefined;
}

/**
 * The secrets of a project. A secret is named by its id or by its reference; a reference's host does not
 * matter, since calls go to the configured server alone. All methods throw `CofferError`.
 */
export class Secrets {
  readonly #session: Session;
  /** Texts kept beside the value. */
  readonly metadata: SecretMetadata;

  constructor(session: Session) {
    this.#session = session;
    this.metadata = new SecretMetadata(session);
  }

  /**
   * Stores a secret; its value arrives byte for byte. A value that the one-step form would change or not hold
   * is uploaded in a second request, and when that fails the secret is deleted again. Repeated only after a
   * sure refusal, so that no second secret comes to be.
   */
  async create(secret: NewSecret, options: CallOptions = {}): Promise<SecretReference> {
    const payload =
      secret.payload === undefined ? undefined : encodePayload(secret.payload, secret.contentType);
    if (payload?.bytes.length === 0) throw new CofferError('bad_request', 'the value is empty');
    const inline = payload && inlinePayload(payload);
    const body = JSON.stringify({ ...secretFields(secret), ...inline });
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', path: '/v1/secrets', headers, body, idempotent: false } as const;
    const ref = String((await this.#session.sendForJson({ ...request, ...options })).secret_ref);
    const id = idOfReference(ref);
    if (payload !== undefined && inline === undefined) await this.#uploadOrDelete(id, payload, options);
    return { id, ref };
  }

  async #uploadOrDelete(id: string, payload: Payload, options: CallOptions): Promise<void> {
    try {
      await this.#upload(id, payload, options);
    } catch (error) {
      // the signal may have ended the upload; it must not end the cleaning up
      await this.delete(id).catch(() => undefined);
      throw error;
    }
  }

  async #upload(id: string, { bytes, contentType }: Payload, options: CallOptions): Promise<void> {
    const headers = { 'content-type': contentType };
    const path = `/v1/secrets/${id}`;
    let uncertain = false;
    const request = { method: 'PUT', path, headers, body: bytes, idempotent: true, ...options } as const;
    try {
      await this.#session.send({ ...request, uncertain: () => (uncertain = true) });
    } catch (error) {
      // secrets are write-once: the conflict may be with the attempt whose answer was lost
      const lost = uncertain && error instanceof CofferError && error.code === 'conflict';
      if (!lost || !(await this.#holds(id, bytes, options))) throw error;
    }
  }

  async #holds(id: string, bytes: Uint8Array, options: CallOptions): Promise<boolean> {
    const stored = await this.payload(id, options).catch(() => undefined);
    const found = stored?.bytes() ?? new Uint8Array();
    stored?.wipe();
    const same = found.length === bytes.length && found.every((byte, at) => byte === bytes[at]);
    found.fill(0);
    return same;
  }

  /**
   * Stores the value of a secret that has none yet. Throws `conflict` when it has one: values never change.
   */
  async uploadPayload(
    secret: string,
    value: string | Uint8Array,
    options: UploadOptions = {},
  ): Promise<void> {
    const { contentType, ...call } = options;
    await this.#upload(parseSecretId(secret), encodePayload(value, contentType), call);
  }

  /** What is known of a secret, without its value. Throws `not_found`. */
  async get(secret: string, options: CallOptions = {}): Promise<Secret> {
    const path = `/v1/secrets/${parseSecretId(secret)}`;
    return parseSecret(
      await this.#session.sendForJson({ method: 'GET', path, idempotent: true, ...options }),
    );
  }

  /** The value, as stored and in one request. Throws `not_found` also for a secret without a value. */
  async payload(secret: string, options: PayloadOptions = {}): Promise<SecretValue> {
    const { name, ...call } = options;
    const id = parseSecretId(secret);
    const headers = { accept: 'application/octet-stream' satisfies PayloadContentType };
    const path = `/v1/secrets/${id}/payload`;
    const answer = await this.#session.send({ method: 'GET', path, headers, idempotent: true, ...call });
    return new SecretValue(name ?? id, answer.bytes);
  }

  /**
   * Deletes a secret with its value. Throws `not_found`, but not when an own attempt with a lost answer
   * deleted it.
   */
  async delete(secret: string, options: CallOptions = {}): Promise<void> {
    const path = `/v1/secrets/${parseSecretId(secret)}`;
    await this.#session.sendUntilDone({ method: 'DELETE', path, idempotent: true, ...options }, 'not_found');
  }

  /** One page of a list, from the given offset on. */
  async page(filter: SecretFilter = {}, offset = 0, options: CallOptions = {}): Promise<SecretPage> {
    const path = `/v1/secrets?${formatFilter(filter, offset)}`;
    const body = await this.#session.sendForJson({ method: 'GET', path, idempotent: true, ...options });
    const secrets = (Array.isArray(body.secrets) ? body.secrets : []).map(parseSecret);
    // the link itself is not followed: it may name another host
    const more = typeof body.next === 'string' && secrets.length > 0;
    const total = Number(body.total);
    return { secrets, total, ...(more && { nextOffset: offset + secrets.length }) };
  }

  /**
   * All matching secrets, page by page as they are consumed: `for await (const secret of
   * coffer.secrets.list())`. What is deleted meanwhile moves later secrets forward, so that some may be
   * missed.
   */
  async *list(filter: SecretFilter = {}, options: CallOptions = {}): AsyncGenerator<Secret, void, undefined> {
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const page: SecretPage = await this.page(filter, offset, options);
      yield* page.secrets;
      offset = page.nextOffset;
    }
  }
}
