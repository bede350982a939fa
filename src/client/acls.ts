import { pathOfShared, type Shared } from './address.ts';
import { parseTime } from './secret.ts';
import type { CallOptions, Session } from './session.ts';

/** Who may read a secret or a container beside those whose role lets them. */
export interface Acl {
  /** Whether the roles of its project reach it; false makes it private. */
  projectAccess: boolean;
  /** Ids of users, of any project. */
  users: readonly string[];
  /** Null for the default: no ACL was written. */
  created: Date | null;
  updated: Date | null;
}

/** What to change; what is left out stays. */
export interface AclChange {
  projectAccess?: boolean | undefined;
  users?: readonly string[] | undefined;
}

interface WireAcl {
  'project-access': boolean;
  users?: string[];
  created?: string;
  updated?: string;
}

const headers = { 'content-type': 'application/json' };

/** Who may read what. All methods throw `CofferError`. */
export class Acls {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async get(shared: Shared, options: CallOptions = {}): Promise<Acl> {
    const request = { method: 'GET', path: pathOf(shared), idempotent: true, ...options } as const;
    const read = (await this.#session.sendForJson(request)).read as WireAcl;
    return {
      projectAccess: read['project-access'],
      users: read.users ?? [],
      created: read.created === undefined ? null : parseTime(read.created),
      updated: read.updated === undefined ? null : parseTime(read.updated),
    };
  }

  /** Replaces the whole ACL: say both who and whether the project. */
  async replace(shared: Shared, acl: Required<AclChange>, options: CallOptions = {}): Promise<void> {
    await this.#write('PUT', shared, acl, options);
  }

  /** Changes what is said, `users` as a whole. */
  async change(shared: Shared, change: AclChange, options: CallOptions = {}): Promise<void> {
    await this.#write('PATCH', shared, change, options);
  }

  /** Goes back to the default: whoever reads the secrets of the project, and nobody else. */
  async delete(shared: Shared, options: CallOptions = {}): Promise<void> {
    await this.#session.send({ method: 'DELETE', path: pathOf(shared), idempotent: true, ...options });
  }

  async #write(
    method: 'PUT' | 'PATCH',
    shared: Shared,
    { projectAccess, users }: AclChange,
    options: CallOptions,
  ): Promise<void> {
    const body = JSON.stringify({ read: { 'project-access': projectAccess, users } });
    await this.#session.send({ method, path: pathOf(shared), headers, body, idempotent: true, ...options });
  }
}

function pathOf(shared: Shared): string {
  return `${pathOfShared(shared)}/acl`;
}
