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

/** A shell takes such a line as it is, whatever the text holds. */
export function formatAssignment(name: string, value: string): string {
  return `${name}='${value.replaceAll("'", "'\\''")}'\n`;
}

/** JSON strings, numbers and null are YAML as well. */
function yamlLines(fields: Fields): string[] {
  return Object.entries(fields).map(([name, cell]) => `${name}: ${JSON.stringify(cell)}`);
}

/** One thing: `raw` is its id alone. */
export function formatOne(fields: Fields, format: Format): string {
  if (format === 'table') {
    return alignColumns(Object.entries(fields).map(([name, cell]) => [name, cellText(cell)]));
  }
  if (format === 'json') return `${JSON.stringify(fields, null, 2)}\n`;
  if (format === 'yaml') return `${yamlLines(fields).join('\n')}\n`;
  if (format === 'raw') return `${fields['id']}\n`;
  const assignments = Object.entries(fields).map(
    ([name, cell]) => [name.toUpperCase(), String(cell ?? '')] as const,
  );
  return assignments.map(([name, value]) => formatAssignment(name, value)).join('');
}

/** A list: the table has the named columns, `raw` has one id a line, the others have all fields. */
export function formatList(list: readonly Fields[], columns: readonly string[], format: Format): string {
  if (format === 'json') return `${JSON.stringify(list, null, 2)}\n`;
  if (format === 'raw') return list.map((fields) => `${fields['id']}\n`).join('');
  if (format === 'yaml') {
    return list.length === 0
      ? '[]\n'
      : list.map((fields) => `- ${yamlLines(fields).join('\n  ')}\n`).join('');
  }
  const head = columns.map((name) => name.toUpperCase().replaceAll('_', ' '));
  const rows = list.map((fields) => columns.map((name) => cellText(fields[name] ?? null)));
  return alignColumns([head, ...rows]);
}
