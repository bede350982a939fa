import { existsSync } from 'node:fs';
import type { Config } from '../config.ts';
import type { TokenClient } from '../keyring/pkcs11/token-client.ts';
import type { TokenDescription } from '../keyring/pkcs11/messages.ts';
import { CofferError } from '../errors.ts';
import { type Command, type CommandContext, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { orphans } from './hsm-orphans.ts';
import { chooseFormat, type Fields, type Format, formatOne, outputFlag } from './output.ts';
import { loadSettings, settingFlags } from './setting-flags.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml'];
const tokenFlags = settingFlags([
  'configFile',
  'keyringFile',
  'pkcs11Module',
  'pkcs11Token',
  'pkcs11PinFile',
  'pkcs11MasterKey',
  'pkcs11Mode',
  'pkcs11Sessions',
]);

const init: Command = {
  name: 'hsm init',
  summary:
    'Make the master key in a PKCS#11 token: AES-256, sensitive, never extractable. Tries it, and prints the configuration.',
  usage: '--pkcs11-module FILE --pkcs11-pin-file FILE [--pkcs11-token LABEL] [flags]',
  example:
    'coffer hsm init --pkcs11-module /usr/lib/softhsm/libsofthsm2.so --pkcs11-pin-file /etc/coffer/pin',
  flags: tokenFlags,
  run: async (context) => {
    refusePositionals(context, 'hsm init');
    const { config } = loadSettings(context);
    const token = requireToken(config);
    await withToken(config, async (client) => await prepareToken(context, config, client));
    context.stderr.write(`The token '${token.tokenLabel}' has the master key '${token.masterKey}'.\n`);
    const lines = {
      COFFER_STORES: 'hsm=pkcs11',
      COFFER_KEYRING_FILE: config.installationFile,
      COFFER_PKCS11_MODULE: token.module,
      COFFER_PKCS11_TOKEN: token.tokenLabel,
      COFFER_PKCS11_PIN_FILE: token.pinFile,
      COFFER_PKCS11_MASTER_KEY: token.masterKey,
      COFFER_PKCS11_MODE: token.mode,
      COFFER_PKCS11_SESSIONS: token.sessions,
    };
    context.stdout.write(
      Object.entries(lines)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    context.stderr.write(
      'With these settings, in a new installation: coffer bootstrap, then coffer serve.\n',
    );
    return exitCodes.done;
  },
};

const doctor: Command = {
  name: 'hsm doctor',
  summary:
    'Look at a PKCS#11 token: mechanisms, sessions, keys, latency; what is missing, and what to do. Ends with 78 when it cannot be used.',
  usage: '[flags]',
  example: 'coffer hsm doctor -o json',
  flags: { ...outputFlag(formats), ...tokenFlags },
  run: async (context) => {
    refusePositionals(context, 'hsm doctor');
    const format = chooseFormat(context, formats);
    const { config } = loadSettings(context);
    const token = requireToken(config);
    const found = await withToken(
      config,
      async (client) => await client.call('describe', { masterKey: token.masterKey }),
    );
    const missing = complaintsAbout(found, token.masterKey);
    context.stdout.write(formatOne(fieldsOf(found, missing), format));
    for (const line of missing) context.stderr.write(`${line}\n`);
    return missing.length === 0 ? exitCodes.done : exitCodes.configuration;
  },
};

/** What keeps the token from being used, and what to do about it. */
function complaintsAbout(found: TokenDescription, masterKey: string): string[] {
  const lacking = Object.entries(found.mechanisms).filter(([, isThere]) => !isThere);
  return [
    ...lacking.map(([name]) => `The token has no ${name}: Coffer cannot use it.`),
    ...(found.hasActiveMasterKey
      ? []
      : [`The token has no key labelled '${masterKey}'. ${adviceFor(found)}`]),
  ];
}

function adviceFor({ masterKeys: [other] }: TokenDescription): string {
  if (other === undefined) return 'Make it with: coffer hsm init';
  return `After coffer master-key rotate name the one in use, as by --pkcs11-master-key ${other}`;
}

function fieldsOf(found: TokenDescription, missing: readonly string[]): Fields {
  const milliseconds = (value: number | undefined): number | null =>
    value === undefined ? null : Math.round(value * 1_000) / 1_000;
  return {
    manufacturer: found.manufacturer,
    model: found.model,
    serial_number: found.serialNumber,
    firmware: found.firmware,
    ...Object.fromEntries(
      Object.entries(found.mechanisms).map(([name, isThere]) => [name, isThere ? 'yes' : 'no']),
    ),
    sessions_max: found.sessionsMax ?? 'not said',
    sessions_open: found.sessionsOpen ?? 'not said',
    keys: found.masterKeys.join(', '),
    p50_ms: milliseconds(found.latency?.p50),
    p99_ms: milliseconds(found.latency?.p99),
    usable: missing.length === 0 ? 'yes' : 'no',
  };
}

async function withToken<T>(config: Config, use: (client: TokenClient) => Promise<T>): Promise<T> {
  const { TokenClient } = await import('../keyring/pkcs11/token-client.ts');
  const { masterKey: _m, mode: _o, ...address } = requireToken(config);
  // What goes wrong is thrown as well.
  const client = new TokenClient({ address, log: { info: () => {}, warn: () => {}, error: () => {} } });
  try {
    await client.open();
    return await use(client);
  } finally {
    client.close();
  }
}

function requireToken({ pkcs11 }: Config): NonNullable<Config['pkcs11']> {
  if (pkcs11 !== undefined) return pkcs11;
  throw new CofferError(
    'configuration',
    'No token is named. Set COFFER_PKCS11_MODULE and COFFER_PKCS11_PIN_FILE, or give --pkcs11-module and --pkcs11-pin-file.',
  );
}

/** A second run finds what the first one made; the key of another installation is not taken for it. */
async function prepareToken(context: CommandContext, config: Config, client: TokenClient): Promise<void> {
  const { masterKey } = requireToken(config);
  const file = config.installationFile;
  const isKeyThere = (await client.call('listMasterKeys', null)).includes(masterKey);
  if (isKeyThere && existsSync(file)) {
    await client.call('check', { masterKey });
    return;
  }
  // First what can be made again: a key stays in the token.
  if (!isKeyThere && !existsSync(file)) await makeInstallationFile(context, file);
  const { makeMasterKey } = await import('../keyring/pkcs11/pkcs11-backend.ts');
  await makeMasterKey(client, masterKey);
}

/** The id of the installation is bound into every key, and no token keeps it. */
async function makeInstallationFile({ stderr }: CommandContext, file: string): Promise<void> {
  const { createKeyringFile } = await import('../keyring/keyring-file.ts');
  await createKeyringFile(file, null);
  stderr.write(`Made ${file} with the id of the installation, and no key: keep a copy.\n`);
}

function refusePositionals({ positionals }: CommandContext, command: string): void {
  if (positionals.length > 0) throw new UsageError(`${command}: takes flags alone`);
}

export const commands: readonly Command[] = [init, doctor, orphans];
