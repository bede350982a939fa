import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteRow, openRow, updateRow } from '../../../src/db/sealed.ts';
import type { ApplicationCredentialRow } from '../../../src/db/schema.ts';
import { getRole } from '../../../src/identity/administration.ts';
import { assignRole, removeAssignments } from '../../../src/identity/assignments.ts';
import { endTokensOfApplication } from '../../../src/identity/end-tokens.ts';
import { digestAssignments, readUser } from '../../../src/identity/rights.ts';
import {
  createCredential,
  credentialsOf,
  logInWith,
  type MadeCredential,
  makeCredential,
} from '../../contract/applications.ts';
import { interleave } from '../../harness/interleave.ts';
import { rounds } from '../../harness/rounds.ts';
import { type Person, type StartedCoffer, startCoffer } from '../../harness/start-coffer.ts';
import { within } from '../../harness/within.ts';

let one: StartedCoffer;
let two: StartedCoffer;
let admin: Person;

beforeAll(async () => {
  one = await startCoffer();
  two = await startCoffer({ beside: one });
  admin = await one.person(['admin'], 'elsewhere');
});
afterAll(async () => {
  await two.stop();
  await one.stop();
});

const parts = (server = one) => ({ ...server.installation, clock: { now: () => new Date() } });

interface Given {
  person: Person;
  credential: MadeCredential;
  token: string;
}

async function give(roles: string[] = ['creator'], fields: object = {}): Promise<Given> {
  const person = await one.person(roles, 'demo');
  const credential = await makeCredential(person, fields);
  const token = await tokenOf(credential);
  await expectEverywhere(200, token);
  return { person, credential, token };
}

async function tokenOf({ id, secret }: MadeCredential): Promise<string> {
  const reply = await logInWith(one, { id, secret });
  expect(reply.status, reply.text).toBe(201);
  return String(reply.headers['x-subject-token']);
}

const logInStatus = async ({ id, secret }: MadeCredential) =>
  await Promise.all([one, two].map(async (server) => (await logInWith(server, { id, secret })).status));

const ask = async (server: StartedCoffer, token: string): Promise<number> =>
  (await server.stranger.get('/v1/secrets', { headers: { 'x-auth-token': token } })).status;

/** Without a NOTIFY, which only makes it sooner. */
async function expectEverywhere(status: number, token: string): Promise<void> {
  const statuses = async () => await Promise.all([one, two].map(async (server) => await ask(server, token)));
  await within(5_900, async () => expect(await statuses()).toEqual([status, status]));
}

async function changeCredential(id: string, changes: Partial<ApplicationCredentialRow>): Promise<void> {
  const { db, keyring } = one.installation;
  const { rows } = await db.query({
    text: 'SELECT * FROM application_credentials WHERE id = $1',
    values: [id],
  });
  const row = await openRow(keyring, 'application_credentials', { id }, rows[0]);
  await updateRow(db, keyring, 'application_credentials', row, changes);
}

async function takeRole({ userId }: Person, name: string, server = one): Promise<void> {
  const known = await readUser(parts(server), userId, null);
  const role = await getRole(parts(server), name);
  const gone = known?.assignments.filter(({ role_id }) => role_id === role.id) ?? [];
  if (known === undefined || gone.length === 0) throw new Error('nothing to take');
  await removeAssignments(parts(server), known, gone);
}

// Side by side, because each of them waits for seconds to pass.
describe.concurrent('within 5 s on every server, a token of an application is no longer taken', () => {
  it('when its credential was deleted', async () => {
    const { person, credential, token } = await give();
    const { status } = await person.client.delete(`${credentialsOf(person)}/${credential.id}`);
    expect(status).toBe(204);
    await expectEverywhere(401, token);
    expect(await logInStatus(credential)).toEqual([401, 401]);
    await expectEverywhere(200, person.token);
  });

  it('when its credential was disabled, and is again when enabled', async () => {
    const { credential, token } = await give();
    await changeCredential(credential.id, { enabled: false });
    await expectEverywhere(401, token);
    expect(await logInStatus(credential)).toEqual([401, 401]);
    await changeCredential(credential.id, { enabled: true });
    await expectEverywhere(200, token);
  });

  it('when its credential has ended', async () => {
    const { credential, token } = await give();
    await changeCredential(credential.id, { expires: new Date(Date.now() + 300) });
    await expectEverywhere(401, token);
    expect(await logInStatus(credential)).toEqual([401, 401]);
  });

  it('when all of the credential were ended; a new one is', async () => {
    const { credential, token, person } = await give();
    await endTokensOfApplication(parts(), credential.id);
    const fresh = await tokenOf(credential);
    await expectEverywhere(401, token);
    await expectEverywhere(200, fresh);
    await expectEverywhere(200, person.token);
  });

  it('when its owner was deleted or disabled', async () => {
    const [deleted, disabled] = [await give(), await give()];
    const path = (given: Given) => `/identity/v3/users/${given.person.userId}`;
    expect((await admin.client.delete(path(deleted))).status).toBe(204);
    const patch = { body: { user: { enabled: false } } };
    expect((await admin.client.send('PATCH', path(disabled), patch)).status).toBe(200);
    for (const { token, credential } of [deleted, disabled]) {
      await expectEverywhere(401, token);
      expect(await logInStatus(credential)).toEqual([401, 401]);
    }
    const { rows } = await one.installation.db.query({
      text: 'SELECT id FROM application_credentials WHERE user_id = $1',
      values: [deleted.person.userId],
    });
    expect(rows).toEqual([]);
  });

  it('when its owner lost a role there, and not again with the role', async () => {
    const { person, credential, token } = await give(['creator', 'observer'], {
      roles: [{ name: 'observer' }],
    });
    await takeRole(person, 'creator');
    await expectEverywhere(401, token);
    const role = await getRole(parts(), 'creator');
    await assignRole(parts(), { id: person.userId }, { id: person.projectId }, role);
    expect(await logInStatus(credential)).toEqual([401, 401]);
    await expectEverywhere(200, person.token);
  });
});

describe('the roles of a token of an application', () => {
  it('grow with nothing that its owner gets', async () => {
    const { person, token } = await give(['observer']);
    await assignRole(
      parts(),
      { id: person.userId },
      { id: person.projectId },
      await getRole(parts(), 'creator'),
    );
    const post = async (of: string) => {
      const headers = { 'x-auth-token': of };
      return (await one.stranger.post('/v1/secrets', { name: 'x' }, { headers })).status;
    };
    await within(5_500, async () => expect(await post(person.token)).toBe(201));
    expect(await post(token)).toBe(403);
  });

  it('are no more than the owner has, though the credential is still there', async () => {
    const { person, credential, token } = await give(['creator', 'observer']);
    const { db, keyring } = one.installation;
    const known = await readUser(parts(), person.userId, null);
    const role = await getRole(parts(), 'creator');
    const [gone] = known?.assignments.filter(({ role_id }) => role_id === role.id) ?? [];
    if (known === undefined || gone === undefined) throw new Error('nothing to take');
    const left = known.assignments.filter(({ id }) => id !== gone.id).map(({ id }) => id);
    await db.transaction(async (tx) => {
      await updateRow(tx, keyring, 'users', known.user, { assignments_digest: digestAssignments(left) });
      await deleteRow(tx, 'role_assignments', gone);
      await tx.query({ text: 'NOTIFY coffer_identity' });
    });
    const headers = { 'x-auth-token': token };
    const post = async () => (await two.stranger.post('/v1/secrets', { name: 'x' }, { headers })).status;
    await within(5_500, async () => expect(await post()).toBe(403));
    const reply = await logInWith(one, { id: credential.id, secret: credential.secret });
    expect(reply.json.token.roles.map(({ name }: { name: string }) => name)).toEqual(['observer']);
  });

  it('are those that the owner has by implication too', async () => {
    const person = await one.person(['admin'], 'demo');
    const credential = await makeCredential(person, { roles: [{ name: 'member' }] });
    const reply = await logInWith(one, { id: credential.id, secret: credential.secret });
    const names = reply.json.token.roles.map(({ name }: { name: string }) => name);
    expect(names.sort()).toEqual(['member', 'reader']);
  });
});

describe('whatever meets on two servers', { timeout: 600_000 }, () => {
  it('a credential that is made while its owner loses a role is refused, or goes with the role', async () => {
    const turns = interleave([one.installation.db.pool, two.installation.db.pool]);
    const outcomes: Record<string, number> = {};
    for (let seed = 1; seed <= rounds(200); seed += 1) {
      const person = await one.person(['creator', 'observer'], 'demo');
      const [created, taken] = await turns.run<number>(seed, [
        async () => (await createCredential(person, { roles: [{ name: 'creator' }] })).status,
        async () => {
          await takeRole(person, 'creator', two);
          return 204;
        },
      ]);
      expect(taken).toEqual({ status: 'fulfilled', value: 204 });
      const status = created?.status === 'fulfilled' ? created.value : 0;
      expect([201, 400]).toContain(status);
      outcomes[status] = (outcomes[status] ?? 0) + 1;
      const list = await person.client.get(credentialsOf(person));
      expect([list.status, list.json.application_credentials]).toEqual([200, []]);
    }
    console.info(`credentials made while a role is taken: ${JSON.stringify(outcomes)}`);
  });

  it('a rule is deleted, or stays with the credential that has it', async () => {
    const turns = interleave([one.installation.db.pool, two.installation.db.pool]);
    const person = await one.person(['creator'], 'demo');
    const outcomes: Record<string, number> = {};
    for (let seed = 1; seed <= rounds(200); seed += 1) {
      const rule = { service: 'key-manager', method: 'GET', path: `/v1/secrets/${seed}` };
      const first = await makeCredential(person, { access_rules: [rule] });
      await person.client.delete(`${credentialsOf(person)}/${first.id}`);
      const id = first.access_rules[0]?.id;
      const path = `/identity/v3/users/${person.userId}/access_rules/${id}`;
      const headers = { 'x-auth-token': person.token };
      let second: string | undefined;
      const statuses = await turns.run<number>(seed, [
        async () => {
          const reply = await createCredential(person, { access_rules: [{ id }] });
          second = reply.json.application_credential?.id;
          return reply.status;
        },
        async () => {
          await sleep((seed % 10) * 3);
          return (await two.stranger.delete(path, { headers })).status;
        },
      ]);
      const [created, deleted] = statuses.map((one) => (one.status === 'fulfilled' ? one.value : 0));
      const outcome = `${created} ${deleted}`;
      expect(['201 403', '404 204']).toContain(outcome);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      expect((await person.client.get(path)).status).toBe(created === 201 ? 200 : 404);
      // A user may have a hundred.
      if (second !== undefined) await person.client.delete(`${credentialsOf(person)}/${second}`);
    }
    console.info(`rules deleted while they are given: ${JSON.stringify(outcomes)}`);
  });
});
