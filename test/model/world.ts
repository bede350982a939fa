import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { Action } from '../../src/policy/actions.ts';
import type { KeyManager } from '../contract/key-manager.ts';
import type { Client, Reply } from '../contract/raw-http.ts';
import { type Container, Model, may, type Order, type Secret, type Thing, type Who } from './model.ts';

/** One random operation: what it does not need of this, it leaves. */
export interface Step {
  does: string;
  who: number;
  at: number;
  other: number;
  text: string;
  key: string;
  flag: boolean;
  count: number;
}

export interface Caller extends Who {
  client: Client;
}

/** The server and the model side by side, in two projects of their own. */
export class World {
  readonly model = new Model();
  readonly projects: readonly string[];
  readonly callers: readonly Caller[];
  readonly serviceAdministrator: Client;
  readonly coffer: KeyManager['coffer'];

  constructor(keyManager: KeyManager) {
    const run = randomUUID();
    this.coffer = keyManager.coffer;
    this.projects = [`${run}-a`, `${run}-b`];
    this.callers = this.projects.flatMap((project) =>
      ['admin', 'creator', 'creator', 'observer'].map((role, n) => {
        const user = `${project}-${role}-${n}`;
        return { user, project, role, client: keyManager.as(role, { user, project }) };
      }),
    );
    const project = this.projects[0] as string;
    this.serviceAdministrator = keyManager.as('key-manager:service-admin', { user: run, project });
  }

  who({ who }: Step): Caller {
    return this.callers[who % this.callers.length] as Caller;
  }

  /** A user, mostly of those that there are. */
  user(n: number): string {
    return this.callers[n % this.callers.length]?.user ?? 'nobody';
  }

  secret(n: number): Secret | undefined {
    return this.model.secrets[n % Math.max(1, this.model.secrets.length)];
  }

  container(n: number): Container | undefined {
    return this.model.containers[n % Math.max(1, this.model.containers.length)];
  }

  order(n: number): Order | undefined {
    return this.model.orders[n % Math.max(1, this.model.orders.length)];
  }
}

/**
 * Whether the operation may go on: else the answer must be the 404 of a thing that is gone, or the 403 of one
 * that they may not touch.
 */
export function isAllowed(reply: Reply, action: Action, who: Who, thing?: Thing): boolean {
  if (thing?.isDeleted === true) {
    expect(reply).toMatchObject({ status: 404 });
    return false;
  }
  if (may(action, who, thing)) return true;
  expect(reply).toMatchObject({ status: 403, json: { code: 403, title: 'Forbidden' } });
  return false;
}
