import { CofferError } from '../errors.ts';

const LENGTH_MAX = 255;

export interface Name {
  /** As it is shown: NFC, without blanks at its ends. */
  name: string;
  /** As it is compared: without case. */
  key: string;
}

/** @throws CofferError `bad_request` for a name that is empty, too long, or holds control characters. */
export function parseName(text: string, noun: string): Name {
  const name = text.normalize('NFC').trim();
  if (name === '' || name.length > LENGTH_MAX || /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)) {
    throw new CofferError(
      'bad_request',
      `A ${noun}'s name has 1 to ${LENGTH_MAX} characters and no control characters.`,
    );
  }
  return { name, key: nameKey(name) };
}

/** Compatibility forms too: `ａｄｍｉｎ` is no second `admin`. */
export function nameKey(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase();
}
