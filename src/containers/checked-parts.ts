import type { Coffer } from '../coffer.ts';
import { wipe } from '../crypto/envelope.ts';
import { GateFull } from '../crypto/gate.ts';
import type { SecretRow } from '../db/schema.ts';
import { CofferError } from '../errors.ts';
import type { Caller } from '../policy/actor.ts';
import { mayReadPayload, readPayload } from '../secrets/service.ts';
import { checkParts, type Verdict } from './part-check.ts';
import type { Slot } from './slots.ts';

/**
 * Looks whether the parts of a new container belong together, tells log and metrics when they do not, and
 * gives the refusal when such containers are refused.
 */
export async function findPartsRefusal(
  coffer: Coffer,
  caller: Caller,
  type: string,
  slots: readonly Slot[],
  secrets: readonly SecretRow[],
): Promise<CofferError | undefined> {
  if (type === 'generic' || slots.length === 0) return undefined;
  const verdict = await judge(coffer, caller, type, slots, secrets);
  if (verdict.kind === 'match') return undefined;
  const { log, containerChecks } = coffer;
  const about = { requestId: caller.requestId, type, reason: verdict.reason };
  if (verdict.kind === 'unchecked') {
    log.info(about, 'the parts of a container were not checked');
    return undefined;
  }
  containerChecks.countMismatch(type);
  log.warn(about, 'the parts of a container do not belong together');
  if (!containerChecks.refuse) return undefined;
  return new CofferError('bad_request', `Container creation issue seen - ${verdict.reason}.`);
}

const NO_RIGHT: Verdict = {
  kind: 'unchecked',
  reason: 'who makes the container may not read each of its payloads',
};

const TOO_MANY: Verdict = {
  kind: 'unchecked',
  reason: 'too many containers of the project are made at once',
};

/** Who may not read each of the payloads is told nothing about any of them. */
async function judge(
  coffer: Coffer,
  caller: Caller,
  type: string,
  slots: readonly Slot[],
  secrets: readonly SecretRow[],
): Promise<Verdict> {
  const mayReadAll = secrets.every((secret) => mayReadPayload(coffer, caller, secret));
  // A credential with access rules may be one that makes containers and reads nothing.
  if (!mayReadAll || caller.actor.accessRules !== null) return NO_RIGHT;
  const { containerChecks } = coffer;
  try {
    const check = async () => await readAndCheck(coffer, caller, type, slots, secrets);
    return await containerChecks.gate(check, caller.actor.projectId ?? '');
  } catch (error) {
    // Where a mismatch is let pass, so is what there was no time to look at.
    if (containerChecks.refuse || !(error instanceof GateFull)) throw error;
    return TOO_MANY;
  }
}

async function readAndCheck(
  coffer: Coffer,
  caller: Caller,
  type: string,
  slots: readonly Slot[],
  secrets: readonly SecretRow[],
): Promise<Verdict> {
  const parts = new Map<string, Uint8Array>();
  try {
    for (const { id, dek } of secrets) {
      const name = slots.find(({ secretId }) => secretId === id)?.name ?? '';
      const payload = dek === null ? undefined : await payloadOf(coffer, caller, id);
      if (payload !== undefined) parts.set(name, payload);
    }
    return await checkParts(type, parts);
  } finally {
    wipe(...parts.values());
  }
}

/** What went since its row was read, the insertion will find gone too. */
async function payloadOf(coffer: Coffer, caller: Caller, id: string): Promise<Uint8Array | undefined> {
  try {
    return (await readPayload(coffer, caller, id, 'Container creation')).payload;
  } catch (error) {
    const isGone = error instanceof CofferError && ['not_found', 'forbidden'].includes(error.code);
    if (!isGone) throw error;
    return undefined;
  }
}
