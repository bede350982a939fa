import { CofferError } from '../errors.ts';
import { spellsOneOf } from './confusables.ts';

/** The roles there are: Barbican's five, and those of secure RBAC. */
export const ROLE_NAMES = [
  'admin',
  'manager',
  'member',
  'reader',
  'creator',
  'observer',
  'audit',
  'key-manager:service-admin',
] as const;

const LENGTH_MAX = 255;
/** Controls, formats, halves of a pair, separators of lines, and letters that leave no mark. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
const spellsRole = spellsOneOf(ROLE_NAMES);

/** What the users of applications and of issuers are called: that, and the name of theirs. */
export const APP_PREFIX = 'app:';
export const ISSUER_PREFIX = 'issuer:';

export interface Name {
  /** As it is shown: NFC, without blanks at its ends. */
  name: string;
  /** As it is compared: without case. */
  key: string;
}

/**
 * @throws CofferError `bad_request` for a name that is empty, too long, holds control characters, or is
 *   spelled to look like a built-in role.
 */
export function parseName(text: string, noun: string): Name {
  const name = text.normalize('NFC').trim();
  if (name === '' || name.length > LENGTH_MAX || UNSEEN.test(name)) {
    throw new CofferError(
      'bad_request',
      `A ${noun}'s name has 1 to ${LENGTH_MAX} characters and no control characters.`,
    );
  }
  const key = nameKey(name);
  if (spellsRole(key)) {
    throw new CofferError('bad_request', `This ${noun}'s name looks like another: use its plain letters.`);
  }
  return { name, key };
}

/**
 * The name of a user who is no application's and no issuer's.
 *
 * @throws CofferError `bad_request` as `parseName` does, and for a name that is kept for those.
 */
export function parseUserName(text: string): Name {
  const parsed = parseName(text, 'user');
  if (!isMachineName(parsed.key)) return parsed;
  throw new CofferError(
    'bad_request',
    "A name that begins with app: or issuer: is an application's or an issuer's: coffer app create, coffer issuer create.",
  );
}

/** Whether the user of that key is one of an application or an issuer, who have no password. */
export function isMachineName(key: string): boolean {
  return key.startsWith(APP_PREFIX) || key.startsWith(ISSUER_PREFIX);
}

/** Compatibility forms too: `ａｄｍｉｎ` is no second `admin`. */
export function nameKey(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase();
}
