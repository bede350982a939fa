import type { Origin } from '../config.ts';
import { type Command, UsageError, stringFlag } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { loadSettings, settingFlags } from './setting-flags.ts';

const formats: Readonly<Record<string, (origins: readonly Origin[]) => string>> = {
  table: formatTable,
  json: (origins) => `${JSON.stringify(origins.map(pickShown), null, 2)}\n`,
  env: (origins) =>
    origins
      .filter(({ value }) => value !== null)
      .map(({ name, value }) => `${name}=${value}\n`)
      .join(''),
};

const show: Command = {
  name: 'config',
  summary: 'Show each setting and where it came from; secrets as ***.',
  usage: '[flags]',
  example: 'coffer config -o json',
  flags: {
    output: { type: 'string', short: 'o', description: 'table, json or env.', placeholder: 'FORMAT' },
    ...settingFlags(),
  },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('config: takes flags alone');
    const name = stringFlag(context, 'output') ?? (context.stdout.isTTY ? 'table' : 'json');
    const format = Object.hasOwn(formats, name) ? formats[name] : undefined;
    if (format === undefined) throw new UsageError('config: --output is one of table, json, env');
    context.stdout.write(format(loadSettings(context).origins));
    return exitCodes.done;
  },
};

function pickShown({ name, value, origin }: Origin): object {
  return { name, value, origin };
}

function formatTable(origins: readonly Origin[]): string {
  const rows = [['SETTING', 'VALUE', 'FROM'], ...origins.map(rowOf)];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}\n`).join('');
}

function rowOf({ name, value, otherwise, origin }: Origin): string[] {
  return [name, value ?? `(${otherwise})`, origin];
}

export const commands: readonly Command[] = [show];
