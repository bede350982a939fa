import type { AccessRule } from './actor.ts';

/** A request as access rules see it: its segments are decoded, and each is one, whatever it holds. */
export interface AskedFor {
  service: string;
  method: string;
  segments: readonly string[];
}

type Token = { kind: 'literal'; character: string } | { kind: 'one' | 'some' | 'any' };

/** Stands for a slash inside a segment, which separates nothing. No path that is routed holds a NUL. */
const INNER_SLASH = '\0';

/**
 * Whether one of the rules allows the request. Null restricts nothing; an empty list allows nothing. In a
 * rule's path `*` and `{name}` stand for one or more characters of one segment, `**` for any characters, none
 * among them; all else is itself, case included. Slashes that are doubled or at the end count for nothing.
 */
export function allowsRequest(rules: readonly AccessRule[] | null, asked: AskedFor): boolean {
  if (rules === null) return true;
  const path = `/${asked.segments.map((segment) => segment.replaceAll('/', INNER_SLASH)).join('/')}`;
  return rules.some(
    (rule) =>
      rule.service === asked.service &&
      rule.method === asked.method &&
      matches(parsePattern(rule.path), path),
  );
}

function parsePattern(pattern: string): Token[] {
  const canonical = pattern.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '');
  const tokens: Token[] = [];
  for (const [part] of canonical.matchAll(/\{[^}]*\}|\*\*|\*|[^]/g)) {
    if (part === '**') tokens.push({ kind: 'any' });
    else if (part === '*' || part.length > 1) tokens.push({ kind: 'one' }, { kind: 'some' });
    else tokens.push({ kind: 'literal', character: part });
  }
  return tokens;
}

/**
 * All places of the pattern at once, one character after the other: a pattern of many wildcards costs its
 * length times the path's, where a backtracking expression could take hours.
 */
function matches(tokens: readonly Token[], path: string): boolean {
  let places = skipRepeats(tokens, new Set([0]));
  for (let at = 0; at < path.length && places.size > 0; at += 1) {
    const character = path[at] ?? '';
    const next = new Set<number>();
    for (const place of places) {
      const token = tokens[place];
      if (token === undefined || !accepts(token, character)) continue;
      next.add(token.kind === 'some' || token.kind === 'any' ? place : place + 1);
    }
    places = skipRepeats(tokens, next);
  }
  return places.has(tokens.length);
}

function accepts(token: Token, character: string): boolean {
  if (token.kind === 'literal') return token.character === character;
  return token.kind === 'any' || character !== '/';
}

/** `some` and `any` may stand for nothing more. */
function skipRepeats(tokens: readonly Token[], places: Set<number>): Set<number> {
  for (const place of places) {
    const kind = tokens[place]?.kind;
    if (kind === 'some' || kind === 'any') places.add(place + 1);
  }
  return places;
}
