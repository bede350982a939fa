import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPasswordHasher } from '../../src/crypto/password.ts';
import { createRevisionMemory } from '../../src/db/revisions.ts';
import { updateRow } from '../../src/db/sealed.ts';
import { createActors } from '../../src/identity/actors.ts';
import { createApplicationLogin } from '../../src/identity/applications/application-login.ts';
import { endTokensOfProject, endTokensOfUser } from '../../src/identity/end-tokens.ts';
import { createLogin, type LoginParts } from '../../src/identity/log-in.ts';
import { startAttempt } from '../../src/identity/login-attempt.ts';
import { createPasswordLogin } from '../../src/identity/password-login.ts';
import { readUser } from '../../src/identity/rights.ts';
import { openSessions } from '../../src/identity/sessions.ts';
import { nextValidFrom } from '../../src/identity/valid-from.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let coffer: StartedCoffer;
let person: Person;
let parts: LoginParts;

beforeAll(async () => {
  coffer = await startCoffer();
  person = await coffer.person(['creator'], 'demo');
  const memory = createRevisionMemory();
  const { coffer: own } = coffer.server;
  parts = {
    coffer: own,
    memory,
    sessions: await openSessions(own, 3_600, memory),
    actors: createActors(own, memory),
    logInByPassword: createPasswordLogin(own, createPasswordHasher(), memory),
    logInByApplication: createApplicationLogin(own, memory),
  };
});
afterAll(async () => await coffer.stop());

const origin = { source: '127.0.0.1', requestId: 'req-test' };
const refused = expect.objectContaining({ code: 'unauthorized' });
const scope = () => ({ kind: 'project', project: { id: person.projectId } }) as const;

async function changePassword(): Promise<void> {
  const { db, keyring } = parts.coffer;
  const user = (await readUser(parts.coffer, person.userId, null))?.user;
  if (user === undefined) throw new Error('the user is gone');
  const password_hash = await createPasswordHasher().hash('another password');
  const tokens_valid_from = nextValidFrom(new Date(), user.tokens_valid_from);
  await updateRow(db, keyring, 'users', user, { password_hash, tokens_valid_from });
}

it('gives no token for a password that was changed while it was compared', async () => {
  const request = { password: { user: { name: person.name }, password: person.password }, scope: scope() };
  const attempt = startAttempt(origin, 'password');
  const first = await createLogin(parts)(request, attempt);
  expect(first.rights.user.id).toBe(person.userId);
  const logInByPassword: LoginParts['logInByPassword'] = async (...given) => {
    const user = await parts.logInByPassword(...given);
    await changePassword();
    return user;
  };
  await expect(createLogin({ ...parts, logInByPassword })(request, attempt)).rejects.toThrow(refused);
});

it.each([
  ['user', async () => await endTokensOfUser(parts.coffer, person.userId)],
  ['project', async () => await endTokensOfProject(parts.coffer, person.projectId)],
])('gives no token for one that ended with all of its %s since it was judged', async (_what, end) => {
  person = await coffer.person(['creator'], 'demo');
  const request = { token: person.token, scope: scope() };
  const attempt = startAttempt(origin, 'token');
  await expect(createLogin(parts)(request, attempt)).resolves.toMatchObject({
    claims: { sub: person.userId },
  });
  const findAnew: LoginParts['actors']['findAnew'] = async (claims) => {
    const known = await parts.actors.findAnew(claims);
    await end();
    return known;
  };
  const actors = { ...parts.actors, findAnew };
  await expect(createLogin({ ...parts, actors })(request, attempt)).rejects.toThrow(refused);
});
