import type { PinSource, TokenAddress } from './messages.ts';

const HOLD_MS = 30_000;
const FAILED_MAX = 2;

/**
 * Counts the log-ins of this process that failed, as tokens lock or wipe themselves after a few: two in all,
 * half a minute apart.
 *
 * One that came to no answer, because the token's process crashed or was killed in it, may have been a wrong
 * PIN: it counts as one. A PIN is known to be right, and such a loss is none of its doing, when this process
 * logged in with it before, its file is the same, and the token has noted no wrong one since: a process that
 * is killed again and again while it logs in must not keep a good PIN out.
 */
export class LoginTries {
  #failed = 0;
  #notBefore = 0;
  #right: string | undefined;

  /** Milliseconds to the next try; without end after the last one. */
  waitFrom(now: number): number {
    return this.#failed >= FAILED_MAX ? Number.POSITIVE_INFINITY : Math.max(0, this.#notBefore - now);
  }

  isKnown({ file, isWrongOneNoted }: PinSource): boolean {
    return file === this.#right && !isWrongOneNoted;
  }

  accept({ file }: PinSource): void {
    this.#failed = 0;
    this.#right = file;
  }

  /** What to say of one that failed: with the token's refusal, or without any answer. */
  fail(now: number, { tokenLabel, pinFile }: TokenAddress, refusal: string | undefined): string {
    this.#failed += 1;
    this.#notBefore = now + HOLD_MS;
    this.#right = undefined;
    const remedy = remedyFor(refusal);
    const next =
      this.#failed >= FAILED_MAX
        ? `It is not tried again: ${remedy}, then restart the server.`
        : `${remedy.replace(/^./, (first) => first.toUpperCase())}: every start and every command is one try, ` +
          `and tokens lock themselves. A server that runs tries once more, in ${HOLD_MS / 1000} s.`;
    return refusal === undefined
      ? `The token '${tokenLabel}' did not say whether the PIN in ${pinFile} is right, which counts as a ` +
          `refusal. ${next}`
      : `The token '${tokenLabel}' refuses the PIN in ${pinFile} (${refusal}). ${next}`;
  }
}

const NOT_THE_FILES_FAULT = ['CKR_PIN_EXPIRED', 'CKR_PIN_LOCKED', 'CKR_USER_PIN_NOT_INITIALIZED'];

function remedyFor(refusal: string | undefined): string {
  if (refusal === undefined) return "log in once by the token's own tool";
  return NOT_THE_FILES_FAULT.includes(refusal)
    ? "set the PIN anew by the token's own tool"
    : 'correct the file';
}
