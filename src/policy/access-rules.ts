import type { AccessRule } from './actor.ts';

/** A request as access rules see it: its segments are decoded, and each is one, whatever it holds. */
export interface AskedFor {
  service: string;
  method: string;
  segments: readonly string[];
}

/** Stands for a slash inside a segment, which separates nothing. No path that is routed holds a NUL. */
const INNER_SLASH = '\0';

/**
 * No path that is served is longer: the longest names a secret's metadata by a key of 255 characters, each of
 * one or two units (568 in all), or a tag of a project, as long.
 */
const PATH_LENGTH_MAX = 640;

/**
 * Whether one of the rules allows the request. Null restricts nothing; an empty list allows nothing. In a
 * rule's path `*` and `{name}` stand for one or more characters of one segment, `**` for any characters, none
 * among them; all else is itself, case included. Slashes that are doubled or at the end count for nothing. No
 * rule allows a path that is longer than any that is served.
 */
export function allowsRequest(rules: readonly AccessRule[] | null, asked: AskedFor): boolean {
  if (rules === null) return true;
  const path = `/${asked.segments.map((segment) => segment.replaceAll('/', INNER_SLASH)).join('/')}`;
  if (path.length > PATH_LENGTH_MAX) return false;
  return rules.some(
    (rule) =>
      rule.service === asked.service &&
      rule.method === asked.method &&
      matches(compile(parsePattern(rule.path)), path),
  );
}

/** A token is a character, by its code, or one of these; `some` and `any` may stand for nothing more. */
const ONE = -1;
const SOME = -2;
const ANY = -3;

function parsePattern(pattern: string): number[] {
  const canonical = pattern.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '');
  const tokens: number[] = [];
  for (const [part] of canonical.matchAll(/\{[^}]*\}|\*\*|\*|[^]/g)) {
    if (part === '**') {
      // It is as good as both: so never do two follow each other that may stand for nothing.
      if ([SOME, ANY].includes(tokens.at(-1) ?? ONE)) tokens.pop();
      tokens.push(ANY);
    } else if (part === '*' || part.length > 1) tokens.push(ONE, SOME);
    else tokens.push(part.charCodeAt(0));
  }
  return tokens;
}

/** A rule's path as sets of its tokens, each a bit of `words` numbers. */
interface Pattern {
  size: number;
  words: number;
  /** Where in `steps` the set of a character begins; that of those without one, at 0. */
  rows: ReadonlyMap<number, number>;
  /** The tokens that a character is, after which comes the next one. */
  steps: Int32Array;
  /** The tokens that may take a slash, and any other character, and yet another one. */
  staysAtSlash: Int32Array;
  stays: Int32Array;
}

const SLASH = '/'.charCodeAt(0);

function compile(tokens: readonly number[]): Pattern {
  const words = Math.floor(tokens.length / 32) + 1;
  const rows = new Map([[SLASH, words]]);
  for (const token of tokens) if (token >= 0 && !rows.has(token)) rows.set(token, (rows.size + 1) * words);
  const steps = new Int32Array((rows.size + 1) * words);
  const staysAtSlash = new Int32Array(words);
  const stays = new Int32Array(words);
  for (const [place, token] of tokens.entries()) {
    if (token === SOME || token === ANY) addTo(stays, 0, place);
    if (token === ANY) addTo(staysAtSlash, 0, place);
    if (token >= 0) addTo(steps, rows.get(token) ?? 0, place);
    if (token !== ONE) continue;
    for (let row = 0; row < steps.length; row += words) if (row !== words) addTo(steps, row, place);
  }
  return { size: tokens.length, words, rows, steps, staysAtSlash, stays };
}

function addTo(sets: Int32Array, row: number, place: number): void {
  const at = row + Math.floor(place / 32);
  sets[at] = (sets[at] ?? 0) | (1 << (place % 32));
}

/**
 * All places of the pattern at once, 32 in one step, one character after the other: a pattern of many
 * wildcards costs its length times the path's, where a backtracking expression could take hours.
 */
function matches({ size, words, rows, steps, staysAtSlash, stays }: Pattern, path: string): boolean {
  const places = new Int32Array(words);
  places[0] = (stays[0] ?? 0) & 1 ? 0b11 : 0b1;
  for (let at = 0; at < path.length; at += 1) {
    const code = path.charCodeAt(at);
    const row = rows.get(code) ?? 0;
    const staying = code === SLASH ? staysAtSlash : stays;
    let [carriedStep, carriedSkip, alive] = [0, 0, 0];
    for (let word = 0; word < words; word += 1) {
      const now = places[word] ?? 0;
      const stepping = now & (steps[row + word] ?? 0);
      const reached = (stepping << 1) | carriedStep | (now & (staying[word] ?? 0));
      // What may stand for nothing more is passed at once; no two of them follow each other.
      const passed = reached & (stays[word] ?? 0);
      const next = reached | (passed << 1) | carriedSkip;
      carriedStep = stepping >>> 31;
      carriedSkip = passed >>> 31;
      places[word] = next;
      alive |= next;
    }
    if (alive === 0) return false;
  }
  return (((places[size >>> 5] ?? 0) >>> (size & 31)) & 1) === 1;
}
