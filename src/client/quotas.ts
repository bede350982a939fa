import type { CallOptions, Session } from './session.ts';

/** What a quota counts. */
export type QuotaResource = 'secrets' | 'orders' | 'containers' | 'consumers';

/** Limits by what they count; below 0 is no limit. */
export type Limits = Record<QuotaResource, number>;

/** A project's own limits; null takes the default of the server. */
export interface ProjectLimits extends Record<QuotaResource, number | null> {
  projectId: string;
}

const ALL = '/v1/project-quotas';
const PAGE_SIZE = 100;

function parse<T>(found: unknown): Record<QuotaResource, T> {
  const { secrets, orders, containers, consumers } = found as Record<QuotaResource, T>;
  return { secrets, orders, containers, consumers };
}

/**
 * How many secrets, orders, containers and consumers a project may have. All but `effective` is for the
 * service administrator. All methods throw `CofferError`.
 */
export class Quotas {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async #get(path: string, options: CallOptions): Promise<Record<string, unknown>> {
    return await this.#session.sendForJson({ method: 'GET', path, idempotent: true, ...options });
  }

  /** The limits that hold in the project of the credentials. */
  async effective(options: CallOptions = {}): Promise<Limits> {
    return parse((await this.#get('/v1/quotas', options)).quotas);
  }

  /** The limits of a project's own. Throws `not_found` where it has none. */
  async get(projectId: string, options: CallOptions = {}): Promise<ProjectLimits> {
    const body = await this.#get(`${ALL}/${encodeURIComponent(projectId)}`, options);
    return { projectId, ...parse<number | null>(body.project_quotas) };
  }

  /** Sets limits of a project; those not given stay as they are. */
  async set(projectId: string, limits: Partial<Limits>, options: CallOptions = {}): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ project_quotas: limits });
    const path = `${ALL}/${encodeURIComponent(projectId)}`;
    await this.#session.send({ method: 'PUT', path, headers, body, idempotent: true, ...options });
  }

  /** Takes a project's own limits away. Throws `not_found` where it has none. */
  async unset(projectId: string, options: CallOptions = {}): Promise<void> {
    const path = `${ALL}/${encodeURIComponent(projectId)}`;
    await this.#session.send({ method: 'DELETE', path, idempotent: true, ...options });
  }

  /** All projects that have limits of their own, page by page as they are consumed. */
  async *list(options: CallOptions = {}): AsyncGenerator<ProjectLimits, void, undefined> {
    for (let offset = 0, more = true; more; offset += PAGE_SIZE) {
      const body = await this.#get(`${ALL}?limit=${PAGE_SIZE}&offset=${offset}`, options);
      for (const found of (Array.isArray(body.project_quotas) ? body.project_quotas : []) as {
        project_id: string;
        project_quotas: unknown;
      }[]) {
        yield { projectId: found.project_id, ...parse<number | null>(found.project_quotas) };
      }
      more = typeof body.next === 'string';
    }
  }
}
