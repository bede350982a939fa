import { existsSync } from 'node:fs';
import type { Clock } from '../coffer.ts';
import type { Config } from '../config.ts';
import { CofferError } from '../errors.ts';
import type { Installation, OpenOptions } from '../installation.ts';
import type { CommandContext } from './command.ts';
import { loadSettings } from './setting-flags.ts';
import { askForShares } from './share-input.ts';

/** Opens database and keyring for one command, beside a server that may run, and closes them after it. */
export async function withInstallation<T>(
  context: CommandContext,
  options: Pick<OpenOptions, 'allowEmpty'>,
  use: (installation: Installation & { clock: Clock }, config: Config) => Promise<T>,
): Promise<T> {
  const { config } = loadSettings(context);
  if (!(options.allowEmpty && (await isMadeOnPurpose(config)))) requireData(config);
  const { openInstallation } = await import('../installation.ts');
  const say = (line: string): unknown => context.stderr.write(`${line}\n`);
  const installation = await openInstallation(config, {
    ...options,
    purpose: 'command',
    createMissing: false,
    say,
    unseal: async (keyrings) => await askForShares(context, keyrings),
  });
  try {
    return await use({ ...installation, clock: { now: () => new Date() } }, config);
  } finally {
    await installation.close();
  }
}

/** What lets somebody in is refused where another Keystone alone says who comes in. */
export function requireOwnUsers({ keystone }: Config, command: string): void {
  if (keystone === undefined) return;
  throw new CofferError(
    'configuration',
    `${command}: nobody could log in with it, because the users are those of COFFER_KEYSTONE_URL. ` +
      `Make it at ${keystone.url}, as with: openstack application credential create`,
  );
}

/** A command does not make a database in whatever folder it is typed in. */
export function requireData(config: Config): void {
  if (config.databaseUrl !== undefined || existsSync(config.dataDir)) return;
  throw new CofferError(
    'configuration',
    `There is no data in ${config.dataDir}. Set COFFER_DATABASE_URL or COFFER_DATA_DIR, or run: coffer serve`,
  );
}

/** A split keyring, or one for a token: `npm start` makes no installation of such a one; bootstrap does. */
async function isMadeOnPurpose({ installationFile, pkcs11 }: Config): Promise<boolean> {
  if (pkcs11 !== undefined) return existsSync(installationFile);
  const { findSplitKeyring } = await import('../keyring/split-file.ts');
  return (await findSplitKeyring(installationFile)) !== undefined;
}
