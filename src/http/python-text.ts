// Texts that clients know were formatted by Python; these are its rules for strings.

const WHITESPACE = new Set(
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000' +
    '\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a',
);

/** `str.strip()`: unlike `trim()` it keeps a byte order mark and takes 0x1C to 0x1F and 0x85. */
export function stripText(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && WHITESPACE.has(text.charAt(start))) start += 1;
  while (end > start && WHITESPACE.has(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** A parsed body with every string in it stripped, at every depth; keys stay as they are. */
export function stripTexts(value: unknown): unknown {
  if (typeof value === 'string') return stripText(value);
  if (Array.isArray(value)) return value.map(stripTexts);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, stripTexts(item)]));
}

/** `len()` counts code points. */
export function lengthOf(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

const LONGEST_REPR = 1024;

/** `repr()` of a value that came out of JSON, cut so that an error stays shorter than what caused it. */
export function repr(value: unknown): string {
  const text = reprWhole(value);
  return text.length > LONGEST_REPR ? `${text.slice(0, LONGEST_REPR)}…` : text;
}

function reprWhole(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return reprNumber(value);
  if (typeof value === 'string') return reprString(value);
  if (Array.isArray(value)) return `[${value.map(reprWhole).join(', ')}]`;
  const pairs = Object.entries(value).map(([key, item]) => `${reprString(key)}: ${reprWhole(item)}`);
  return `{${pairs.join(', ')}}`;
}

function reprNumber(value: number): string {
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const UNPRINTABLE = /[\\\p{C}\p{Z}]/gu;

function reprString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(UNPRINTABLE, escapeCharacter);
  return quote + (quote === "'" ? body.replaceAll("'", "\\'") : body) + quote;
}

function escapeCharacter(character: string): string {
  if (character === ' ') return character;
  const known = ESCAPES[character];
  if (known !== undefined) return known;
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
