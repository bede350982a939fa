import { PASSWORD_BYTES_MAX, type PasswordHasher } from '../crypto/password.ts';
import type { RevisionMemory } from '../db/revisions.ts';
import type { UserRow } from '../db/schema.ts';
import { openRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { authenticationRequired } from '../http/errors.ts';
import { getUser } from './administration.ts';
import type { Named } from './keystone-requests.ts';
import { countedSource, type LoginAttempt } from './login-attempt.ts';
import { countGuess, findUser, forgetLoginFailures } from './queries.ts';
import type { IdentityParts } from './rights.ts';

/**
 * Where guesses are counted that are at no user's password, so that they cost what a user's do. No user has
 * this id.
 */
const NOBODY = '';

export type PasswordLogin = (user: Named, password: string, attempt: LoginAttempt) => Promise<UserRow>;

/**
 * Gives the user whose password it is. Who is unknown, disabled or held back, and a wrong password, get the
 * same answer after the same work. Each guess is counted before it is compared, so that as many at once as
 * anybody likes, at any number of servers, are no more than the ten that there are.
 */
export function createPasswordLogin(
  parts: IdentityParts,
  passwords: PasswordHasher,
  memory: RevisionMemory,
): PasswordLogin {
  const { db } = parts;
  return async (named, password, attempt) => {
    const source = countedSource(attempt.source);
    const user = await findNewestUser(parts, memory, named);
    attempt.userId = user?.id ?? null;
    const isLong = Buffer.byteLength(password) > PASSWORD_BYTES_MAX;
    const findHash = async (): Promise<string | null> => {
      attempt.isHeld = !(await countGuess(db, user?.id ?? NOBODY, source));
      return user?.enabled === true && !attempt.isHeld && !isLong ? user.password_hash : null;
    };
    const matches = await passwords.from(source).verify(findHash, isLong ? '' : password);
    if (user === undefined || !matches) throw new CofferError('unauthorized', authenticationRequired);
    await forgetLoginFailures(db, user.id, source);
    return user;
  };
}

/** An answer that a newer one overtook looks like an older row put back: it is asked for once more. */
async function findNewestUser(
  parts: IdentityParts,
  memory: RevisionMemory,
  named: Named,
): Promise<UserRow | undefined> {
  const user = await findNamedUser(parts, named);
  if (user === undefined || !memory.isOlder('users', user)) return user;
  const again = await findNamedUser(parts, named);
  if (again !== undefined) memory.check('users', again);
  return again;
}

/** The verified row, or undefined where nobody has that id or name. */
export async function findNamedUser(parts: IdentityParts, named: Named): Promise<UserRow | undefined> {
  if ('id' in named) {
    const found = await findUser(parts.db, named.id);
    return found && (await openRow(parts.keyring, 'users', { id: named.id }, found));
  }
  try {
    return await getUser(parts, named.name);
  } catch (error) {
    if (error instanceof CofferError && error.code === 'not_found') return undefined;
    throw error;
  }
}
