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
  logIn = createPasswordLogin({ ...parts, db: counted(parts.db) }, countedHasher(), createRevisionMemory());
});
afterAll(async () => await coffer.stop());
beforeEach(() => {
  work = [];
});

function countedHasher(): PasswordHasher {
  const hasher = createPasswordHasher();
  return {
    hash: async (password) => await hasher.hash(password),
    verify: async (hashed, password) => {
      work.push('argon2id');
      return await hasher.verify(hashed, password);
    },
  };
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

async function attempt(name: string, password: string): Promise<string> {
  const origin = startAttempt({ source: '192.0.2.1', requestId: 'req-test' }, 'password');
  try {
    return (await logIn({ name }, password, origin)).id;
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
    seen.push({ answer: await attempt(name, password), work });
  }
  const [first] = seen;
  expect(first?.work).toEqual(['user-by-name', 'login-throttled', 'argon2id', 'login-failed']);
  for (const other of seen) expect(other).toEqual(first);
});

it('hashes once, and no more, for who is held back', async () => {
  const held = await coffer.person(['creator'], 'demo');
  for (let round = 0; round < 10; round += 1) await attempt(held.name, 'wrong');
  work = [];
  expect(await attempt(held.name, held.password)).toContain('unauthorized');
  expect(work.filter((name) => name === 'argon2id')).toHaveLength(1);
});

it('gives the user whose password it is', async () => {
  expect(await attempt(person.name, person.password)).toBe(person.userId);
  expect(work).toContain('argon2id');
});
