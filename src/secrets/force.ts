import { CofferError } from '../errors.ts';

const TRUE_WORDS = new Set(['1', 't', 'true', 'on', 'y', 'yes']);
const FALSE_WORDS = new Set(['0', 'f', 'false', 'off', 'n', 'no']);

/** The `force` of a deletion at microversion 1.2. @throws CofferError `bad_request` for other text. */
export function parseForce(text: string | undefined): boolean {
  if (text === undefined) return false;
  const word = text.trim().toLowerCase();
  if (TRUE_WORDS.has(word)) return true;
  if (FALSE_WORDS.has(word)) return false;
  throw new CofferError('bad_request', 'URI provided invalid query string parameters.');
}
