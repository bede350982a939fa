import { parseId, parseSecretId } from './address.ts';
import {
  type Container,
  type ContainerFilter,
  type ContainerPage,
  type ContainerReference,
  type NewContainer,
  parseContainer,
} from './container.ts';
import { idOfReference } from './secret.ts';
import type { CallOptions, Session } from './session.ts';

const headers = { 'content-type': 'application/json' };

/**
 * The containers of a project. Container and secret are named by id or by reference; a reference's host does
 * not matter. All methods throw `CofferError`.
 */
export class Containers {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  #path(container: string): string {
    return `/v1/containers/${parseId('containers', container)}`;
  }

  /** Makes a container. Repeated only after a sure refusal, so that no second one comes to be. */
  async create(container: NewContainer = {}, options: CallOptions = {}): Promise<ContainerReference> {
    const { name, type = 'generic', secrets = {} } = container;
    const secret_refs = Object.entries(secrets).map(([slot, secret]) => slotBody(slot, secret));
    const body = JSON.stringify({ name, type, secret_refs });
    const request = { method: 'POST', path: '/v1/containers', headers, body, idempotent: false } as const;
    const ref = String((await this.#session.sendForJson({ ...request, ...options })).container_ref);
    return { id: idOfReference(ref), ref };
  }

  /** Throws `not_found`. */
  async get(container: string, options: CallOptions = {}): Promise<Container> {
    const request = { method: 'GET', path: this.#path(container), idempotent: true, ...options } as const;
    return parseContainer(await this.#session.sendForJson(request));
  }

  /**
   * Deletes a container; its secrets stay. Throws `not_found`, but not when an own attempt with a lost answer
   * deleted it.
   */
  async delete(container: string, options: CallOptions = {}): Promise<void> {
    const path = this.#path(container);
    await this.#session.sendUntilDone({ method: 'DELETE', path, idempotent: true, ...options }, 'not_found');
  }

  #change(method: 'POST' | 'DELETE', container: string, secret: string, name: string | undefined) {
    const body = JSON.stringify(slotBody(name, secret));
    return { method, path: `${this.#path(container)}/secrets`, headers, body, idempotent: true };
  }

  /** Adds a secret to a generic container. Throws `conflict` when it is there under this name. */
  async addSecret(
    container: string,
    secret: string,
    name?: string,
    options: CallOptions = {},
  ): Promise<void> {
    const request = { ...this.#change('POST', container, secret, name), ...options };
    await this.#session.sendUntilDone(request, 'conflict');
  }

  /** Takes a secret out of a container. Throws `not_found` when it is not there under this name. */
  async removeSecret(
    container: string,
    secret: string,
    name?: string,
    options: CallOptions = {},
  ): Promise<void> {
    const request = { ...this.#change('DELETE', container, secret, name), ...options };
    await this.#session.sendUntilDone(request, 'not_found');
  }

  /** One page of a list, from the given offset on. */
  async page(filter: ContainerFilter = {}, offset = 0, options: CallOptions = {}): Promise<ContainerPage> {
    const { name, type, pageSize = 100 } = filter;
    const query = new URLSearchParams({ limit: String(pageSize), offset: String(offset) });
    if (name !== undefined) query.set('name', name);
    if (type !== undefined) query.set('type', type);
    const path = `/v1/containers?${query.toString()}`;
    const body = await this.#session.sendForJson({ method: 'GET', path, idempotent: true, ...options });
    const containers = (Array.isArray(body.containers) ? body.containers : []).map(parseContainer);
    const more = typeof body.next === 'string' && containers.length > 0;
    return { containers, total: Number(body.total), ...(more && { nextOffset: offset + containers.length }) };
  }

  /** All matching containers, page by page as they are consumed. */
  async *list(
    filter: ContainerFilter = {},
    options: CallOptions = {},
  ): AsyncGenerator<Container, void, undefined> {
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const page: ContainerPage = await this.page(filter, offset, options);
      yield* page.containers;
      offset = page.nextOffset;
    }
  }
}

function slotBody(
  name: string | undefined,
  secret: string,
): { name: string | undefined; secret_ref: string } {
  return { name, secret_ref: parseSecretId(secret) };
}
