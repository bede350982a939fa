import type { Action } from '../../src/policy/actions.ts';
import { sheets } from '../policy/contract-table.ts';

// What clients may expect of the key manager, in memory and without any of its code: rights come from the
// contract's table.

export interface Who {
  user: string;
  project: string;
  role: string;
}

export interface Acl {
  projectAccess: boolean;
  users: readonly string[];
}

export interface Thing {
  id: string;
  project: string;
  creator: string;
  name: string;
  acl: Acl | null;
  isDeleted: boolean;
}

export interface SecretConsumer {
  service: string;
  resource_type: string;
  resource_id: string;
  project: string;
}

export interface Secret extends Thing {
  payload: string | null;
  /** What it is read as, once there is a payload. */
  contentType: string;
  metadata: Map<string, string>;
  consumers: SecretConsumer[];
}

export interface ContainerConsumer {
  name: string;
  URL: string;
  project: string;
}

export interface Slot {
  name: string;
  secret: Secret;
}

export interface Container extends Thing {
  slots: Slot[];
  consumers: ContainerConsumer[];
}

export interface Order extends Thing {
  kind: 'key' | 'pair' | 'impossible';
  status: 'PENDING' | 'ACTIVE' | 'ERROR';
  /** The secret or container that it made; empty where it made none. */
  result: string;
}

export type Limited = 'secrets' | 'containers' | 'orders';

export class Model {
  readonly secrets: Secret[] = [];
  readonly containers: Container[] = [];
  readonly orders: Order[] = [];
  readonly limits = new Map<string, Partial<Record<Limited, number>>>();

  secretsOf(project: string): Secret[] {
    return this.secrets.filter((secret) => secret.project === project && !secret.isDeleted);
  }

  containersOf(project: string): Container[] {
    return this.containers.filter((container) => container.project === project && !container.isDeleted);
  }

  ordersOf(project: string): Order[] {
    return this.orders.filter((order) => order.project === project && !order.isDeleted);
  }

  isFull(project: string, what: Limited): boolean {
    const limit = this.limits.get(project)?.[what] ?? -1;
    const used = this[what].filter((thing: Thing) => thing.project === project && !thing.isDeleted);
    return limit >= 0 && used.length >= limit;
  }

  /** The slots whose secret is still there. */
  slotsOf(container: Container): Slot[] {
    return container.slots.filter(({ secret }) => !secret.isDeleted);
  }
}

/** How a caller stands to a thing, in the letters of the contract's table. */
function caseOf(who: Who, thing: Thing): string {
  const isOnAcl = thing.acl?.users.includes(who.user) === true;
  if (thing.project !== who.project) return isOnAcl ? 'F' : 'E';
  const isPrivate = thing.acl?.projectAccess === false;
  if (thing.creator === who.user) return isPrivate ? 'C' : 'A';
  if (!isPrivate) return 'B';
  return isOnAcl ? 'G' : 'D';
}

/** Whether the contract's table of stock rules lets them, for a thing where the rule looks at one. */
export function may(action: Action, who: Who, thing?: Thing): boolean {
  const sheet = sheets.find(({ rules }) => rules === 'stock');
  const row = sheet?.rows.find(([name]) => name === action);
  const cell = row?.[(sheet?.roles.indexOf(who.role) ?? -1) + 1] ?? '-';
  return cell === 'y' || (thing !== undefined && cell.includes(caseOf(who, thing)));
}
