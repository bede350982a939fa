import { stripVTControlCharacters } from 'node:util';
import { type CommandContext, type Flags, stringFlag, UsageError } from './command.ts';

export type Format = 'table' | 'json' | 'yaml' | 'env' | 'raw';
export type Cell = string | number | null;
/** Fields in the order in which they are shown; the names are the wire's. */
export type Fields = Readonly<Record<string, Cell>>;

export function outputFlag(formats: readonly Format[]): Flags {
  const description = `${formats.join(', ')}. A table on a terminal, else JSON.`;
  return { output: { type: 'string', short: 'o', description, placeholder: 'FORMAT' } };
}

export function chooseFormat(
  context: CommandContext,
  formats: readonly Format[],
  byDefault?: Format,
): Format {
  const asked = stringFlag(context, 'output');
  if (asked === undefined) return byDefault ?? (context.stdout.isTTY ? 'table' : 'json');
  const format = formats.find((one) => one === asked);
  if (format === undefined) throw new UsageError(`--output is one of ${formats.join(', ')}`);
  return format;
}

/** Text of others, safe for a terminal: one line without escape sequences. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{C}/gu, '?');
}

function cellText(cell: Cell): string {
  return cell === null ? '-' : printable(String(cell));
}

function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}

/** What a terminal may act on, or shows turned, or not at all; but no tab and no line end. */
const UNSAFE = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const EVERY_UNSAFE = new RegExp(UNSAFE, 'gu');

function octal(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

/** A shell takes such a line as it is, whatever the text holds but NUL, and a terminal shows it as text. */
export function formatAssignment(name: string, value: string): string {
  if (!UNSAFE.test(value)) return `${name}='${value.replaceAll("'", "'\\''")}'\n`;
  // By printf, because $'…' is not in every sh. The underscore keeps line ends that are the last.
  const format = value.replace(/^-|[\\%']/g, octal).replace(EVERY_UNSAFE, octal);
  return `${name}=$(printf '${format}_'); ${name}=\${${name}%_}\n`;
}

/** JSON with every character escaped that is not safe for a terminal. */
export function formatJson(value: unknown): string {
  const escape = (character: string): string =>
    Array.from(character.split(''), (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`).join('');
  return `${JSON.stringify(value, null, 2).replace(EVERY_UNSAFE, escape)}\n`;
}

/** JSON strings, numbers and null are YAML as well, but for escapes of characters past U+FFFF. */
function yamlLines(fields: Fields): string[] {
  const escape = (character: string): string => {
    const point = character.codePointAt(0) ?? 0;
    return point > 0xffff ? `\\U${hex(point, 8)}` : `\\u${hex(point, 4)}`;
  };
  return Object.entries(fields).map(
    ([name, cell]) => `${name}: ${JSON.stringify(cell).replace(EVERY_UNSAFE, escape)}`,
  );
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0');
}

/** An id is told as it is or not at all: whoever asks for ids alone hands them on. */
function rawLine({ id }: Fields): string {
  const text = String(id);
  if (/\p{C}/u.test(text)) throw new UsageError('an id holds what is no text: -o json shows it');
  return `${text}\n`;
}

/** One thing: `raw` is its id alone. */
export function formatOne(fields: Fields, format: Format): string {
  if (format === 'table') {
    return alignColumns(Object.entries(fields).map(([name, cell]) => [name, cellText(cell)]));
  }
  if (format === 'json') return formatJson(fields);
  if (format === 'yaml') return `${yamlLines(fields).join('\n')}\n`;
  if (format === 'raw') return rawLine(fields);
  const assignments = Object.entries(fields).map(
    ([name, cell]) => [name.toUpperCase(), String(cell ?? '')] as const,
  );
  return assignments.map(([name, value]) => formatAssignment(name, value)).join('');
}

/** A list: the table has the named columns, `raw` has one id a line, the others have all fields. */
export function formatList(list: readonly Fields[], columns: readonly string[], format: Format): string {
  if (format === 'json') return formatJson(list);
  if (format === 'raw') return list.map(rawLine).join('');
  if (format === 'yaml') {
    return list.length === 0
      ? '[]\n'
      : list.map((fields) => `- ${yamlLines(fields).join('\n  ')}\n`).join('');
  }
  const head = columns.map((name) => name.toUpperCase().replaceAll('_', ' '));
  const rows = list.map((fields) => columns.map((name) => cellText(fields[name] ?? null)));
  return alignColumns([head, ...rows]);
}
