import type { Origin } from '../config.ts';
import { type Command, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Format, formatList, outputFlag } from './output.ts';
import { loadSettings, settingFlags } from './setting-flags.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env'];

const show: Command = {
  name: 'config',
  summary: 'Show each setting and where it came from; secrets as ***.',
  usage: '[flags]',
  example: 'coffer config -o json',
  flags: { ...outputFlag(formats), ...settingFlags() },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('config takes flags alone');
    const format = chooseFormat(context, formats);
    const { origins } = loadSettings(context);
    context.stdout.write(format === 'env' ? formatAsFile(origins) : formatAsList(origins, format));
    return exitCodes.done;
  },
};

function formatAsList(origins: readonly Origin[], format: Format): string {
  const rows = origins.map(({ name, value, otherwise, origin }) => {
    return { setting: name, value: format === 'table' ? (value ?? `(${otherwise})`) : value, from: origin };
  });
  return formatList(rows, ['setting', 'value', 'from'], format);
}

/** Lines that COFFER_CONFIG_FILE takes, but for what is hidden. */
function formatAsFile(origins: readonly Origin[]): string {
  return origins
    .filter(({ name }) => name !== 'COFFER_CONFIG_FILE')
    .map(({ name, value }) => (value === null ? '' : `${name}=${value}\n`))
    .join('');
}

export const commands: readonly Command[] = [show];
