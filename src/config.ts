import { isInside, isLoopback, listensOnAll, readTlsFiles, type TlsFiles, urlOf } from './config/checks.ts';
import { type KeystoneSettings, readKeystone } from './config/keystone.ts';
import { type ListenAddress, type Parse, SettingProblem } from './config/parsers.ts';
import { type Setting, type SettingKey, type Settings, settingKeys, settings } from './config/settings.ts';
import { type Pkcs11Settings, readPkcs11 } from './config/pkcs11.ts';
import { collect, type Given, type Sources } from './config/sources.ts';
import { filesOf, type StoreSetting } from './config/stores.ts';
import { CofferError } from './errors.ts';
import type { RuleSetName } from './policy/can.ts';

export interface Config {
  /** Undefined: the private PostgreSQL of the data directory. */
  databaseUrl: string | undefined;
  databasePool: number;
  keyringFile: string;
  /** The keyring file with the installation's id: of the first store that is a file, or `keyringFile`. */
  installationFile: string;
  pkcs11: Pkcs11Settings | undefined;
  /** Of COFFER_STORES, or the one of `keyringFile`; the first is the default. */
  stores: readonly [StoreSetting, ...StoreSetting[]];
  /** Whether COFFER_STORES names them: clients may then choose among them. */
  hasNamedStores: boolean;
  dataDir: string;
  listen: ListenAddress;
  /** Without a slash at its end. */
  publicUrl: string;
  formerUrls: readonly string[];
  region: string;
  rules: RuleSetName;
  checkContainers: 'warn' | 'refuse';
  tls: TlsFiles | undefined;
  noauth: boolean;
  metrics: boolean;
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  payloadBytesMax: number;
  bodyBytesMax: number;
  tokenTtlSeconds: number;
  /** Whose tokens count, where they are not Coffer's own. */
  keystone: KeystoneSettings | undefined;
  issuerPrivateAddresses: boolean;
  /** Whether this server runs jobs too. */
  worker: 'on' | 'off';
  /** Where a process that runs jobs alone answers probes. */
  workerListen: ListenAddress | undefined;
  /** 0: none is too old. */
  kekMaxAgeSeconds: number;
  rotationRate: number;
  purgeExpiredSeconds: number;
  purgeOrdersSeconds: number;
  connectionsMax: number;
  requestsMax: number;
  /** Limits of projects that have none of their own; -1 for none. */
  quotaSecrets: number;
  quotaOrders: number;
  quotaContainers: number;
  quotaConsumers: number;
}

/** A setting as it may be shown: nothing secret in it. */
export interface Origin {
  name: string;
  /** As the server understands it: paths absolute, URLs in their normal form. */
  value: string | null;
  /** What holds when there is no value. */
  otherwise: string | null;
  origin: string;
}

export interface LoadedConfig {
  config: Config;
  origins: readonly Origin[];
}

type Values = { [K in SettingKey]: Settings[K] extends { parse: Parse<infer T> } ? T | undefined : never };

/**
 * The configuration from flags, environment, file and defaults, in this order of precedence.
 *
 * @throws CofferError `configuration` that lists every problem, with no value in it.
 */
export function loadConfig(sources: Sources): LoadedConfig {
  const problems: string[] = [];
  const given = collect(sources, problems);
  const values = parseAll(given, sources.cwd, problems);
  const tls = readTlsFiles(values.tlsCertificateFile, values.tlsKeyFile, problems);
  const wantsTls = values.tlsCertificateFile !== undefined;
  const publicUrl = values.publicUrl ?? (values.listen && urlOf(values.listen, wantsTls ? 'https' : 'http'));
  const keystone = readKeystone(values, problems);
  const pkcs11 = readPkcs11(values, problems);
  checkTogether(values, given, problems);
  if (problems.length > 0) throw new CofferError('configuration', describe(problems));

  // Each has a default or was parsed, or there would have been a problem.
  const { configFile: _, tlsCertificateFile: _c, tlsKeyFile: _k, ...others } = values as Required<Values>;
  const rest = withoutParts(others);
  const stores = values.stores ?? [{ name: 'software', kind: 'software', file: values.keyringFile }];
  const hasNamedStores = values.stores !== undefined;
  const installationFile = filesOf(stores as StoreSetting[])[0] ?? values.keyringFile;
  const formerUrls = values.formerUrls ?? [];
  const config = {
    ...rest,
    stores,
    hasNamedStores,
    installationFile,
    pkcs11,
    publicUrl,
    formerUrls,
    tls,
    keystone,
  } as Config;
  const all = { ...values, publicUrl };
  const origins = settingKeys.map((key) => originOf(key, given.get(key), all));
  return { config, origins };
}

/** What one value of the configuration stands for is not there a second time. */
function withoutParts(values: object): object {
  return Object.fromEntries(Object.entries(values).filter(([key]) => !/^(keystone|pkcs11)/.test(key)));
}

function parseAll(given: Map<SettingKey, Given>, cwd: string, problems: string[]): Values {
  const entries = settingKeys.map((key) => {
    const record: Setting<unknown> = settings[key];
    const value = given.get(key)?.value ?? record.default;
    return [key, value === undefined ? undefined : parseOne(record, value, cwd, problems)];
  });
  return Object.fromEntries(entries) as Values;
}

function parseOne(record: Setting<unknown>, value: string, cwd: string, problems: string[]): unknown {
  if (value === '') {
    problems.push(`${record.name}: is set and empty; give it a value or remove it`);
    return undefined;
  }
  try {
    return record.parse(value, cwd);
  } catch (error) {
    if (!(error instanceof SettingProblem)) throw error;
    problems.push(`${record.name}: ${error.message}`);
    return undefined;
  }
}

function checkTogether(values: Values, given: Map<SettingKey, Given>, problems: string[]): void {
  const { keyringFile, stores, dataDir, listen, noauth, payloadBytesMax, bodyBytesMax } = values;
  const name = stores === undefined ? 'COFFER_KEYRING_FILE' : 'COFFER_STORES';
  for (const file of stores === undefined ? [keyringFile] : filesOf(stores)) {
    if (file !== undefined && dataDir !== undefined && isInside(file, dataDir)) {
      problems.push(`${name}: ${file} is inside the data directory: its copies would hold the keys`);
    }
  }
  if (noauth && listen !== undefined && !isLoopback(listen.host)) {
    problems.push('COFFER_NOAUTH: only with COFFER_LISTEN on a loopback address, as 127.0.0.1:9311');
  }
  if (noauth && given.has('keystoneUrl')) {
    problems.push('COFFER_NOAUTH: believes every request; not together with COFFER_KEYSTONE_URL');
  }
  if (listen !== undefined && listensOnAll(listen.host) && !given.has('publicUrl')) {
    problems.push('COFFER_PUBLIC_URL: is needed when COFFER_LISTEN means all addresses');
  }
  if (payloadBytesMax !== undefined && bodyBytesMax !== undefined && bodyBytesMax < payloadBytesMax) {
    problems.push('COFFER_BODY_BYTES_MAX: is less than COFFER_PAYLOAD_BYTES_MAX');
  }
}

function describe(problems: readonly string[]): string {
  const [first, ...others] = problems;
  return others.length === 0
    ? `The configuration has a problem: ${first}`
    : `The configuration has ${problems.length} problems:\n${problems.map((line) => `  ${line}`).join('\n')}`;
}

function originOf(key: SettingKey, given: Given | undefined, values: Values): Origin {
  const record: Setting<unknown> = settings[key];
  const written = given?.value ?? record.default;
  const parsed = values[key];
  const shown = written === undefined ? parsed : typeof parsed === 'string' ? parsed : written;
  return {
    name: record.name,
    value: typeof shown === 'string' ? (record.conceal?.(shown) ?? shown) : null,
    otherwise: record.otherwise ?? null,
    origin: given?.origin ?? 'default',
  };
}
