import type { Config, Origin } from '../config.ts';
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
    const { config, origins } = loadSettings(context);
    const shown = format === 'table' ? await withSplits(origins, config) : origins;
    context.stdout.write(format === 'env' ? formatAsFile(origins) : formatAsList(shown, format));
    return exitCodes.done;
  },
};

/** Says beside its file how a keyring is split. */
async function withSplits(origins: readonly Origin[], config: Config): Promise<readonly Origin[]> {
  const { findSplitKeyring } = await import('../keyring/split-file.ts');
  const notes: string[] = [];
  for (const store of config.stores) {
    const split =
      store.kind === 'software' ? await findSplitKeyring(store.file).catch(() => undefined) : undefined;
    if (split !== undefined)
      notes.push(`${config.hasNamedStores ? `${store.name} ` : ''}split ${split.threshold}/${split.count}`);
  }
  const holder = config.hasNamedStores ? 'COFFER_STORES' : 'COFFER_KEYRING_FILE';
  return origins.map((origin) => {
    if (origin.name !== holder || notes.length === 0) return origin;
    return { ...origin, value: `${origin.value} (${notes.join(', ')})` };
  });
}

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
