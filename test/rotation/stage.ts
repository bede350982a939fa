import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { RotationParts } from '../../src/rotation/rewrap.ts';
import type { RotationPace } from '../../src/rotation/moving.ts';
import { continueRotation, type RotationState } from '../../src/rotation/rotation.ts';
import type { Person, StartedCoffer } from '../harness/start-coffer.ts';

/** As in a server, but that old keys go as soon as nothing needs them. */
const SWIFT: RotationPace = { rowsAtOnce: 7, rowsPerSecond: 1_000_000, restSeconds: 0 };

export function partsOf({ installation }: StartedCoffer, damaged: string[] = []): RotationParts {
  const { db, keyring } = installation;
  return {
    db,
    keyring,
    clock: { now: () => new Date() },
    log: pino({ level: 'silent' }),
    integrityViolations: { count: (where) => damaged.push(where) },
  };
}

/** Works on a rotation to its end, or until it can go no further. */
export async function finishRotation(
  parts: RotationParts,
  projectId: string,
  pace = SWIFT,
): Promise<RotationState> {
  const { signal } = new AbortController();
  for (let round = 0; round < 200; round += 1) {
    const advanced = await continueRotation(parts, pace, { projectId, signal });
    if (advanced === undefined) return 'done';
    if (advanced.state === 'done' || advanced.state === 'blocked') return advanced.state;
  }
  throw new Error('the rotation does not end');
}

export interface Kept {
  path: string;
  payload: string;
}

/** Secrets with payload, one without, one in a container with a consumer, and an order with a passphrase. */
export async function fillProject({ client }: Person, secrets: number): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (let n = 0; n < secrets; n += 1) {
    const payload = `payload ${n} ${randomUUID()}`;
    const stored = await client.post('/v1/secrets', { payload, payload_content_type: 'text/plain' });
    kept.push({ path: new URL(stored.json.secret_ref).pathname, payload });
  }
  const secret_ref = `${(await client.get('/v1/secrets')).json.secrets[0].secret_ref}`;
  await client.post('/v1/secrets', { name: 'no payload' });
  const refs = [{ name: 'one', secret_ref }];
  await client.post('/v1/containers', { type: 'generic', name: 'some', secret_refs: refs });
  const consumer = { service: 'nova', resource_type: 'server', resource_id: 'one' };
  await client.post(`${new URL(secret_ref).pathname}/consumers`, consumer);
  return kept;
}

export async function readAll({ client }: Person, kept: readonly Kept[]): Promise<(string | number)[]> {
  const replies = await Promise.all(kept.map(async ({ path }) => await client.get(`${path}/payload`)));
  return replies.map(({ status, text }) => (status === 200 ? text : status));
}
