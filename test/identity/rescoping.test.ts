import { afterAll, beforeAll, expect, it } from 'vitest';
import { openRow, updateRow } from '../../src/db/sealed.ts';
import type { UserRow } from '../../src/db/schema.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

const TOKENS = '/identity/v3/auth/tokens';
let coffer: StartedCoffer;
beforeAll(async () => {
  coffer = await startCoffer();
});
afterAll(async () => await coffer.stop());

async function revokeAllOf(userId: string): Promise<void> {
  const { db, keyring } = coffer.installation;
  const { rows } = await db.query<UserRow>({ text: 'SELECT * FROM users WHERE id = $1', values: [userId] });
  const user = await openRow(keyring, 'users', { id: userId }, rows[0]);
  await updateRow(db, keyring, 'users', user, { tokens_valid_from: new Date(Date.now() + 1_000) });
}

it('gives no new token for one that was revoked with all others of its user, told of it or not', async () => {
  const { client, token, userId } = await coffer.person(['creator'], 'demo');
  expect((await client.get('/v1/secrets')).status).toBe(200);
  // No NOTIFY: the server still holds the rights that it read for the request before.
  await revokeAllOf(userId);
  const scope = { project: { name: 'demo', domain: { name: 'Default' } } };
  for (const wanted of [{ scope }, { scope: 'unscoped' }, {}]) {
    const identity = { methods: ['token'], token: { id: token } };
    const reply = await coffer.stranger.post(TOKENS, { auth: { identity, ...wanted } });
    expect([reply.status, reply.headers['x-subject-token']]).toEqual([401, undefined]);
  }
  expect((await client.get('/v1/secrets')).status).toBe(401);
});
