import type { FastifyInstance, FastifyRequest } from 'fastify';
import { recordDecision } from '../../audit/record.ts';
import type { Coffer } from '../../coffer.ts';
import { CofferError } from '../../errors.ts';
import { callerOf } from '../../http/caller.ts';
import { onceJson } from '../../http/json-body.ts';
import { pathOf } from '../../http/surface.ts';
import { canManage } from '../../policy/rules-identity.ts';
import type { Accounts } from '../identity.ts';
import { countedSource } from '../login-attempt.ts';
import type { Management, Read } from './management.ts';
import { baseOf, formatList, type Listed } from './wire.ts';

/** What every route of management is made with. */
export interface Desk {
  app: FastifyInstance;
  coffer: Coffer;
  accounts: Accounts;
  /** Of all links. */
  base: string;
}

export type Query = Record<string, string>;

export function openDesk(app: FastifyInstance, coffer: Coffer, accounts: Accounts): Desk {
  return { app, coffer, accounts, base: baseOf(coffer) };
}

/** Management on behalf of a request's actor: every decision is put on record. */
export function manageFor({ coffer, accounts }: Desk, request: FastifyRequest): Management {
  const { db, keyring, clock, log, integrityViolations } = coffer;
  const caller = callerOf(request);
  const { memory } = accounts;
  return {
    db,
    keyring,
    clock,
    memory,
    passwords: accounts.passwords.from(countedSource(request.ip)),
    require: (action, target = {}) => {
      const allowed = canManage(action, caller.actor, target);
      const subject = target.userId ?? target.projectId ?? null;
      const subjectProject = target.projectId ?? null;
      recordDecision(log, caller, { action, allowed, subject, subjectProject });
      if (allowed) return;
      const message = `You are not authorized to perform the requested action: ${action}.`;
      throw new CofferError('forbidden', message);
    },
    leaveOut: (table) => integrityViolations.count(table, caller.requestId),
  };
}

/** Reads and parses the body when it is first asked for, and once. */
export function readOnce<T>({ coffer }: Desk, request: FastifyRequest, parse: (body: unknown) => T): Read<T> {
  const read = onceJson(request, coffer.limits.bodyBytesMax);
  return async () => parse(await read());
}

export function answerList(
  { base }: Desk,
  request: FastifyRequest,
  collection: string,
  items: readonly object[],
  more: Pick<Listed, 'next' | 'limit'> = {},
): object {
  const target = request.raw.url ?? '';
  const path = pathOf(target).replace(/^\/identity\/v3/, '');
  const at = target.indexOf('?');
  const search = at < 0 ? '' : target.slice(at + 1);
  return formatList(collection, items, { base, path, search, ...more });
}
