import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeFields, list, text } from '../../src/crypto/encoding.ts';
import type { Db } from '../../src/db/open.ts';
import { createIssuer, getIssuer } from '../../src/identity/federation/issuers.ts';
import { startIssuer, type TestIssuer } from '../identity/federation/test-issuer.ts';
import { type Client, rawClient, type Reply } from './raw-http.ts';
import { attack, columnAttacks, copyRow, restore } from './tamper-sql.ts';
import { PLAINTEXT, readyForAttacks, type Stage, setStage } from './tamper-stage.ts';

const NOTIFY = 'NOTIFY coffer_identity';
const patience = { timeout: 8_000, interval: 15 };

let stage: Stage;
let db: Db;
let issuer: TestIssuer;
let victim: { id: string; client: Client };

beforeAll(async () => {
  [stage, issuer] = await Promise.all([setStage(), startIssuer()]);
  ({ db } = stage.coffer.installation);
  await makeIssuer('alpha-jobs', 'alpha', 'alpha');
  await makeIssuer('beta-jobs', 'beta', 'beta');
  const { id } = await getIssuer(parts(), 'alpha-jobs');
  victim = { id, client: await exchanged('alpha') };
  await readyForAttacks(stage);
});
afterAll(async () => {
  await stage.coffer.stop();
  await issuer.stop();
});

const parts = () => ({ ...stage.coffer.installation, clock: { now: () => new Date() } });

async function makeIssuer(name: string, project: string, subject: string): Promise<void> {
  await createIssuer(parts(), {
    name,
    issuerUrl: issuer.url,
    url: issuer.jwksUrl,
    keys: null,
    audience: 'coffer-test',
    claims: new Map([['sub', subject]]),
    project,
    roles: ['creator'],
    allowPrivate: true,
    allowHttp: true,
  });
}

const exchange = async (subject: string): Promise<Reply> =>
  await stage.coffer.stranger.send('POST', '/identity/oauth2/token', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await issuer.sign({ sub: subject }),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    }).toString(),
  });

async function exchanged(subject: string): Promise<Client> {
  return rawClient(stage.coffer.url, String((await exchange(subject)).json.access_token));
}

const listStatus = async (): Promise<number> => (await victim.client.get('/v1/secrets')).status;

async function undo(): Promise<void> {
  await restore(db);
  await attack(db, [NOTIFY]);
  await expect.poll(listStatus, patience).toBe(200);
}

/** Nobody has a token from it, and those that there were give nothing. */
async function expectClosed(what: string): Promise<void> {
  await expect.poll(listStatus, patience).not.toBe(200);
  const reply = await victim.client.get(`/v1/secrets/${stage.first.id}/payload`);
  expect(reply.text, what).not.toMatch(PLAINTEXT);
  expect([401, 500], what).toContain(reply.status);
  for (const subject of ['alpha', 'stranger']) {
    const { status, text: body } = await exchange(subject);
    expect([400, 500], `${what}: ${body}`).toContain(status);
  }
}

describe('an issuer whose row the server did not write', { timeout: 120_000 }, () => {
  it('lets nobody in, whatever column was changed', async () => {
    const beta = await getIssuer(parts(), 'beta-jobs');
    const attacks = await columnAttacks(db, 'issuers', victim.id, [beta.id]);
    expect(attacks.length).toBeGreaterThan(40);
    for (const { name, statements } of attacks) {
      await attack(db, [...statements, NOTIFY]);
      await expectClosed(name);
      await undo();
    }
  });

  it('lets no other subject in, by claims or roles that were put in its row', async () => {
    const claims = encodeFields([list([text('sub'), text('stranger')])]).toString('hex');
    const roles = `(SELECT role_ids FROM kept.issuers WHERE name = 'beta-jobs')`;
    for (const statements of [
      [`UPDATE issuers SET claims = '\\x${claims}' WHERE id = '${victim.id}'`],
      [`UPDATE issuers SET claims = '' WHERE id = '${victim.id}'`],
      [`UPDATE issuers SET role_ids = ${roles} || ${roles}, enabled = true WHERE id = '${victim.id}'`],
      [`UPDATE issuers SET jwks_url = 'http://127.0.0.1:1/' WHERE id = '${victim.id}'`],
      [`UPDATE issuers SET project_id = '${stage.bob.projectId}' WHERE id = '${victim.id}'`],
      [`UPDATE issuers SET user_id = '${stage.bob.userId}' WHERE id = '${victim.id}'`],
    ]) {
      await attack(db, [...statements, NOTIFY]);
      await expectClosed(statements[0] ?? '');
      await undo();
    }
    await attack(db, [copyRow('issuers', victim.id, { id: `'copy'`, claims: `'\\x${claims}'` }), NOTIFY]);
    expect((await exchange('stranger')).status).not.toBe(200);
    await undo();
  });

  it('ends its tokens when it is deleted, and its user’s rights do not stand for it', async () => {
    await attack(db, [`DELETE FROM issuers WHERE id = '${victim.id}'`, NOTIFY]);
    await expectClosed('deleted');
    await undo();
  });
});
