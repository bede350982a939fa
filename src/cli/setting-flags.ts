import { flagOf, type Setting, type SettingKey, settingKeys, settings } from '../config/settings.ts';
import { type LoadedConfig, loadConfig } from '../config.ts';
import type { CommandContext, Flag, Flags } from './command.ts';
import { sharesFlag } from './share-input.ts';

/** The flags of these settings, or of all that may be given by flag. */
export function settingFlags(keys: readonly SettingKey[] = settingKeys): Flags {
  const flags: Record<string, Flag> = {};
  for (const key of keys) {
    const record: Setting<unknown> = settings[key];
    const name = flagOf(record);
    const whenMissing = record.default === undefined ? '' : ` Default: ${record.default}.`;
    if (name !== undefined)
      flags[name] = { type: 'string', description: `${record.description}${whenMissing}` };
  }
  return flags;
}

/** What a command on the server's machine needs to find database and keyring. */
export const installationFlags: Flags = {
  ...settingFlags(['configFile', 'dataDir', 'keyringFile', 'stores']),
  ...sharesFlag,
};

/** The settings as this command line, its environment and its file have them. */
export function loadSettings({ values, env, cwd }: CommandContext): LoadedConfig {
  return loadConfig({ flags: values, env, cwd });
}
