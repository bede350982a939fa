import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createPasswordHasher, PASSWORD_BYTES_MAX, type PasswordHasher } from '../../src/crypto/password.ts';
import type { Db, Statement } from '../../src/db/open.ts';
import { createRevisionMemory } from '../../src/db/revisions.ts';
import { updateRow } from '../../src/db/sealed.ts';
import { startAttempt } from '../../src/identity/login-attempt.ts';
import { createPasswordLogin, type PasswordLogin } from '../../src/identity/password-login.ts';
import { readUser } from '../../src/identity/rights.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let coffer: StartedCoffer;
let person: Person;
let disabled: Person;
let logIn: PasswordLogin;
/** Another server's, on the same database. */
let logInElsewhere: PasswordLogin;
/** What the work of one attempt was: hashes that were computed, and statements, by name. */
let work: string[];

beforeAll(async () => {
  coffer = await startCoffer();
  person = await coffer.person(['creator'], 'demo');
  disabled = await coffer.person(['creator'], 'demo');
  const parts = { ...coffer.installation, clock: { now: () => new Date() } };
  const known = await readUser(parts, disabled.userId, null);
  if (known === undefined) throw new Error('the user is gone');
  await updateRow(parts.db, parts.keyring, 'users', known.user, { enabled: false });
  const serve = () =>
    createPasswordLogin({ ...parts, db: counted(parts.db) }, countedHasher(), createRevisionMemory());
  [logIn, logInElsewhere] = [serve(), serve()];
});
afterAll(async () => await coffer.stop());
beforeEach(() => {
  work = [];
});

function countedHasher(): PasswordHasher {
  const hasher = createPasswordHasher();
  const counting: PasswordHasher = {
    hash: async (password) => await hasher.hash(password),
    verify: async (findHash, password) =>
      await hasher.verify(async () => {
        const hashed = await findHash();
        work.push(hashed === null ? 'argon2id of nobody' : 'argon2id');
        return hashed;
      }, password),
    from: () => counting,
  };
  return counting;
}

function counted(db: Db): Db {
  return {
    ...db,
    query: async (statement: Statement) => {
      work.push(statement.name ?? '');
      return await db.query(statement);
    },
  };
}

async function attempt(name: string, password: string, server = logIn): Promise<string> {
  const origin = startAttempt({ source: '192.0.2.1', requestId: 'req-test' }, 'password');
  try {
    return (await server({ name }, password, origin)).id;
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
}

it('does the same work and says the same, whoever is refused', async () => {
  const longest = 'x'.repeat(PASSWORD_BYTES_MAX + 1);
  const seen = [];
  for (const [name, password] of [
    [person.name, 'wrong'],
    [person.name, ''],
    [person.name, longest],
    [disabled.name, disabled.password],
    [disabled.name, 'wrong'],
    [`nobody-${randomBytes(4).toString('hex')}`, 'wrong'],
    ['', 'wrong'],
  ] as const) {
    work = [];
    const answer = await attempt(name, password);
    seen.push({ answer, work: work.map((name) => name.replace(' of nobody', '')) });
  }
  const [first] = seen;
  expect(first?.work).toEqual(['user-by-name', 'login-counted', 'argon2id']);
  for (const other of seen) expect(other).toEqual(first);
});

it('hashes once, and no more, for who is held back', async () => {
  const held = await coffer.person(['creator'], 'demo');
  for (let round = 0; round < 10; round += 1) await attempt(held.name, 'wrong');
  work = [];
  expect(await attempt(held.name, held.password)).toContain('unauthorized');
  expect(work).toEqual(['user-by-name', 'login-counted', 'argon2id of nobody']);
});

it('compares ten guesses and no more, however many come at once and to whichever server', async () => {
  const held = await coffer.person(['creator'], 'demo');
  work = [];
  const guesses = Array.from({ length: 40 }, async (_, index) => {
    const server = index % 2 === 0 ? logIn : logInElsewhere;
    return await attempt(held.name, index === 39 ? held.password : 'wrong', server);
  });
  for (const answer of await Promise.all(guesses)) expect(answer).toContain('unauthorized');
  expect(work.filter((name) => name === 'argon2id')).toHaveLength(10);
  expect(work.filter((name) => name === 'argon2id of nobody')).toHaveLength(30);
  expect(await attempt(held.name, held.password, logInElsewhere)).toContain('unauthorized');
});

it('lets a user in who knows the password more often at once than there are wrong guesses', async () => {
  const answers = Array.from({ length: 16 }, async () => await attempt(person.name, person.password));
  expect(new Set(await Promise.all(answers))).toEqual(new Set([person.userId]));
});

it('gives the user whose password it is', async () => {
  expect(await attempt(person.name, person.password)).toBe(person.userId);
  expect(work).toContain('argon2id');
});
