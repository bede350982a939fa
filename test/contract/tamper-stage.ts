import { expect } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { prepareAttacks } from './tamper-sql.ts';
import { type Reply, rawClient } from './raw-http.ts';

export interface Stored {
  id: string;
  payload: string;
}

/** A server with two projects that have nothing to do with each other, and secrets in both. */
export interface Stage {
  coffer: StartedCoffer;
  /** The victim: creator in `alpha`. */
  alice: Person;
  /** Who gains something if an attack works: administrator of `beta`. */
  bob: Person;
  /** Somebody of `alpha` who may not read payloads. */
  carol: Person;
  /** Alice's, in `alpha`. */
  first: Stored;
  second: Stored;
  /** Bob's, in `beta`. */
  foreign: Stored;
}

export const PLAINTEXT = /plaintext-[a-z]+-9c1f4e/;

export async function setStage(env: Record<string, string> = {}): Promise<Stage> {
  const coffer = await startCoffer({ env });
  const alice = await coffer.person(['creator'], 'alpha');
  const bob = await coffer.person(['admin'], 'beta');
  const carol = await coffer.person(['audit'], 'alpha');
  const first = await store(alice, 'plaintext-first-9c1f4e', { expiration: '2099-01-01T00:00:00' });
  const second = await store(alice, 'plaintext-second-9c1f4e', {
    algorithm: 'aes',
    bit_length: 256,
    mode: 'cbc',
  });
  const foreign = await store(bob, 'plaintext-foreign-9c1f4e', {});
  const metadata = await alice.client.put(`/v1/secrets/${first.id}/metadata`, {
    metadata: { purpose: 'test' },
  });
  expect(metadata.status).toBe(201);
  return { coffer, alice, bob, carol, first, second, foreign };
}

export async function readyForAttacks(stage: Stage): Promise<Stage> {
  await prepareAttacks(stage.coffer.installation.db);
  return stage;
}

async function store({ client }: Person, payload: string, columns: object): Promise<Stored> {
  const body = { name: payload.slice(10, 16), payload, payload_content_type: 'text/plain', ...columns };
  const reply = await client.post('/v1/secrets', body);
  expect(reply.status, reply.text).toBe(201);
  return { id: String(reply.json.secret_ref).split('/').at(-1)!, payload };
}

/**
 * What a person is answered for a payload, on the stage's server or on another one of the same installation.
 */
export async function readPayload(person: Person, id: string, url?: string): Promise<Reply> {
  const client = url === undefined ? person.client : rawClient(url, person.token);
  return await client.get(`/v1/secrets/${id}/payload`, { headers: { accept: 'text/plain' } });
}

/** 500 `Integrity Violation` or one of the other statuses, and nothing of any payload. */
export function expectRefusal(reply: Reply, ...others: number[]): void {
  expect(reply.text).not.toMatch(PLAINTEXT);
  expect([500, 404, ...others], reply.text).toContain(reply.status);
  if (reply.status === 500) expect(reply.text).toContain('Integrity Violation');
}

export async function expectPayload(person: Person, { id, payload }: Stored, url?: string): Promise<void> {
  const reply = await readPayload(person, id, url);
  expect([reply.status, reply.text]).toEqual([200, payload]);
}
