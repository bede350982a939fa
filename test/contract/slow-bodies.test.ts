import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { sendSlowly } from './slow-body.ts';

const TOKENS = '/identity/v3/auth/tokens';
let coffer: StartedCoffer;
beforeAll(async () => {
  coffer = await startCoffer();
});
afterAll(async () => await coffer.stop());

/** Long enough to be slow. */
const SLOW_MS = 1_200;

async function revoke({ client, token }: Person): Promise<void> {
  expect((await client.delete(TOKENS, { headers: { 'x-subject-token': token } })).status).toBe(204);
}

it.each([
  ['application credential', ({ userId }: Person) => `/identity/v3/users/${userId}/application_credentials`],
  ['secret', () => '/v1/secrets'],
])('makes no %s for a token that was revoked while the body was held back', async (_what, pathOf) => {
  const person = await coffer.person(['creator'], 'demo');
  const path = pathOf(person);
  const isSecret = path === '/v1/secrets';
  const headers = { 'x-auth-token': person.token };
  const sendAs = async (name: string, meanwhile: () => Promise<void>): Promise<number> => {
    const body = isSecret ? { name } : { application_credential: { name } };
    const request = { method: 'POST', path, headers, body };
    return await sendSlowly(coffer.url, request, async () => {
      await meanwhile();
      await sleep(SLOW_MS);
    });
  };
  expect(await sendAs('slow', async () => {})).toBe(201);
  expect(await sendAs('late', async () => await revoke(person))).toBe(401);
  const table = isSecret ? 'secrets' : 'application_credentials';
  const { rows } = await coffer.installation.db.query({
    text: `SELECT name FROM ${table} WHERE name IN ('slow', 'late')`,
  });
  expect(rows).toEqual([{ name: 'slow' }]);
});
