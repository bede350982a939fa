import { hash, verify } from '@node-rs/argon2';
import { createGate } from './gate.ts';

/** The package's number of Argon2id: its const enum cannot be imported. */
const ARGON2ID = 2;
/** RFC 9106 §4, second recommended option (64 MiB, 3 passes, 4 lanes). */
const OPTIONS = { algorithm: ARGON2ID, memoryCost: 65_536, timeCost: 3, parallelism: 4 } as const;
const AT_ONCE_MAX = 2;
const WAITING_MAX = 32;
const WAITING_IN_ALL_MAX = 256;
export const PASSWORD_BYTES_MAX = 4_096;

/** In the form of a hash, and of no password: comparing with it takes as long as with a real one. */
const NOBODY = [
  '$argon2id$v=19',
  `m=${OPTIONS.memoryCost},t=${OPTIONS.timeCost},p=${OPTIONS.parallelism}`,
  'A'.repeat(22),
  'A'.repeat(43),
].join('$');

export interface PasswordHasher {
  /** An argon2id hash in PHC form. */
  hash(password: string): Promise<string>;
  /**
   * Whether the password is the one that was hashed; with null it takes as long and says no. The hash is
   * asked for when the turn has come: then alone a guess needs to be counted.
   */
  verify(findHash: () => Promise<string | null>, password: string): Promise<boolean>;
  /** The same, with a queue of its own: sources take turns. */
  from(source: string): PasswordHasher;
}

/**
 * argon2id, off the event loop, two at a time behind bounded queues: 64 at once would take 4 GiB.
 *
 * Passwords are taken as the bytes of their UTF-8. Both methods throw CofferError `unavailable` when the
 * source's queue is full, or all of them together.
 */
export function createPasswordHasher(): PasswordHasher {
  const gate = createGate({
    atOnceMax: AT_ONCE_MAX,
    waitingMax: WAITING_MAX,
    waitingInAllMax: WAITING_IN_ALL_MAX,
    busy: 'Too many log-ins at once; try again.',
  });
  const hasherOf = (source: string | undefined): PasswordHasher => ({
    hash: async (password) => await gate(async () => await hash(password, OPTIONS), source),
    verify: async (findHash, password) =>
      await gate(async () => {
        const hashed = await findHash();
        return (await verify(hashed ?? NOBODY, password)) && hashed !== null;
      }, source),
    from: hasherOf,
  });
  return hasherOf(undefined);
}
