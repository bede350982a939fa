import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { Person, StartedCoffer } from '../harness/start-coffer.ts';
import { type Client, type Reply, rawClient } from './raw-http.ts';

export interface MadeCredential {
  id: string;
  name: string;
  secret: string;
  expires_at: string | null;
  roles: { id: string; name: string }[];
  access_rules: { id: string; service: string; method: string; path: string }[];
}

export const credentialsOf = ({ userId }: Pick<Person, 'userId'>): string =>
  `/identity/v3/users/${userId}/application_credentials`;

/** Asks for an application credential with these fields, under a name of its own unless they have one. */
export async function createCredential(by: Person, fields: object = {}): Promise<Reply> {
  const body = { application_credential: { name: `credential ${randomUUID()}`, ...fields } };
  return await by.client.post(credentialsOf(by), body);
}

export async function makeCredential(by: Person, fields: object = {}): Promise<MadeCredential> {
  const reply = await createCredential(by, fields);
  expect(reply.status, reply.text).toBe(201);
  return reply.json.application_credential as MadeCredential;
}

/** `more` stands beside `identity`: a scope. */
export async function logInWith(
  { stranger }: Pick<StartedCoffer, 'stranger'>,
  credential: object,
  more: object = {},
): Promise<Reply> {
  const identity = { methods: ['application_credential'], application_credential: credential };
  return await stranger.post('/identity/v3/auth/tokens', { auth: { identity, ...more } });
}

/** A client with a token of the credential, on that server. */
export async function clientWith(coffer: StartedCoffer, credential: object): Promise<Client> {
  const { id, secret } = credential as MadeCredential;
  const reply = await logInWith(coffer, { id, secret });
  expect(reply.status, reply.text).toBe(201);
  return rawClient(coffer.url, String(reply.headers['x-subject-token']));
}
