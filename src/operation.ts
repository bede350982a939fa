import { recordDecision } from './audit/record.ts';
import type { Coffer } from './coffer.ts';
import type { SealedRows, SealedTable } from './db/schema.ts';
import { StaleRow } from './db/sealed.ts';
import { openRows } from './db/sealed-list.ts';
import { CofferError, ProjectGone, StoreAway } from './errors.ts';
import type { Action } from './policy/actions.ts';
import type { Caller } from './policy/actor.ts';
import { can } from './policy/can.ts';
import type { Target } from './policy/target.ts';

export interface Operation<T, R> {
  action: Action;
  /** The operation's name in refusals, as Barbican has it: `Secret creation`. */
  name: string;
  /** Reads and verifies what is asked for; throws `not_found`. */
  load?: () => Promise<T>;
  /** What the policy looks at, from the verified row. */
  target?: (row: T) => Target & { id: string };
  /** Does the work, on a row that the caller may touch. Throws StaleRow when it changed meanwhile. */
  run: (row: T) => Promise<R>;
}

const ATTEMPTS_MAX = 5;

/**
 * The only door to the data: loads, asks the policy, reports the decision, and only then runs. When the row
 * changed since it was read, all of it happens again: a decision is never used on a row that it was not made
 * for.
 *
 * @throws CofferError `forbidden`; `unavailable` after five rounds; whatever `load` and `run` throw.
 */
export async function operate<R, T = undefined>(
  coffer: Coffer,
  caller: Caller,
  operation: Operation<T, R>,
): Promise<R> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const row = (await operation.load?.()) as T;
    authorize(coffer, caller, operation, row);
    try {
      return await operation.run(row);
    } catch (error) {
      if (!(error instanceof StaleRow)) throw error;
      coffer.keyring.forgetProject(caller.actor.projectId ?? undefined);
    }
  }
  throw new CofferError('unavailable', 'It is being changed by others; try again.', { retryAfterSeconds: 1 });
}

function authorize<T, R>(coffer: Coffer, caller: Caller, operation: Operation<T, R>, row: T): void {
  const target = operation.target?.(row);
  const allowed = can(coffer.rules, operation.action, caller.actor, target);
  recordDecision(coffer.log, caller, {
    action: operation.action,
    allowed,
    subject: target?.id ?? null,
    subjectProject: target?.projectId ?? caller.actor.projectId,
  });
  if (allowed) return;
  throw new CofferError(
    'forbidden',
    `${operation.name} attempt not allowed - please review your user/project privileges`,
  );
}

/**
 * What could be opened of a list, in its order. What does not verify is left out, counted and logged; what
 * has its keys in a store that is away is left out and logged, so that the rest can be seen.
 */
export async function openListed<T extends SealedTable>(
  { keyring, integrityViolations, log }: Pick<Coffer, 'keyring' | 'integrityViolations' | 'log'>,
  { requestId }: Pick<Caller, 'requestId'>,
  table: T,
  asked: Partial<SealedRows[T]>,
  rows: readonly unknown[],
): Promise<SealedRows[T][]> {
  return await openRows(keyring, table, asked, rows, (reason) => {
    // Its row is on its way out.
    if (reason instanceof ProjectGone) return;
    if (reason instanceof StoreAway) {
      log.warn({ where: table, requestId }, 'a row was left out: its secret store is away');
    } else if (reason instanceof CofferError && reason.code === 'integrity_violation') {
      integrityViolations.count(table, requestId);
    } else throw reason;
  });
}

/** The project of the token. The edge and the policy refuse one without before this is reached. */
export function requireProject({ actor }: Caller): string {
  if (actor.projectId === null) throw new CofferError('forbidden', '');
  return actor.projectId;
}
