import { pathOfShared, type Shared } from './address.ts';
import { parseTime } from './secret.ts';
import type { CallOptions, Session } from './session.ts';

/** Who uses a secret. */
export interface SecretConsumer {
  service: string;
  resourceType: string;
  resourceId: string;
}

/** Who uses a container. */
export interface ContainerConsumer {
  name: string;
  url: string;
}

/** A secret or container with one of its consumers. */
export type Use = ({ secret: string } & SecretConsumer) | ({ container: string } & ContainerConsumer);

/** A consumer as it was registered: with the fields of one of a secret, or of one of a container. */
export interface RegisteredConsumer extends Partial<SecretConsumer>, Partial<ContainerConsumer> {
  created: Date;
}

const headers = { 'content-type': 'application/json' };
const PAGE_SIZE = 100;

/** Who uses what: a secret that is used is not deleted by accident. All methods throw `CofferError`. */
export class Consumers {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Registers, once however often. */
  async add(use: Use, options: CallOptions = {}): Promise<void> {
    await this.#send('POST', use, options);
  }

  /** Throws `not_found` when it is not registered. */
  async remove(use: Use, options: CallOptions = {}): Promise<void> {
    await this.#send('DELETE', use, options);
  }

  /** All of a secret or container, page by page as they are consumed. */
  async *list(
    shared: Shared,
    options: CallOptions = {},
  ): AsyncGenerator<RegisteredConsumer, void, undefined> {
    for (let offset = 0, more = true; more; offset += PAGE_SIZE) {
      const path = `${pathOf(shared)}?limit=${PAGE_SIZE}&offset=${offset}`;
      const body = await this.#session.sendForJson({ method: 'GET', path, idempotent: true, ...options });
      yield* (Array.isArray(body.consumers) ? body.consumers : []).map(parseConsumer);
      more = typeof body.next === 'string';
    }
  }

  async #send(method: 'POST' | 'DELETE', use: Use, options: CallOptions): Promise<void> {
    const fields =
      'secret' in use
        ? { service: use.service, resource_type: use.resourceType, resource_id: use.resourceId }
        : { name: use.name, URL: use.url };
    const body = JSON.stringify(fields);
    const request = { method, path: pathOf(use), headers, body, idempotent: true, ...options };
    // A removal that is repeated finds nothing, and must not seem to have failed.
    await this.#session.sendUntilDone(request, 'not_found');
  }
}

function pathOf(shared: Shared): string {
  return `${pathOfShared(shared)}/consumers`;
}

function parseConsumer(value: unknown): RegisteredConsumer {
  const wire = value as Record<string, string>;
  const created = parseTime(wire['created'] ?? '');
  if (wire['URL'] !== undefined) return { name: wire['name'] ?? '', url: wire['URL'], created };
  return {
    service: wire['service'] ?? '',
    resourceType: wire['resource_type'] ?? '',
    resourceId: wire['resource_id'] ?? '',
    created,
  };
}
