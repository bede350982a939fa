import * as parse from './parsers.ts';
import { storeList } from './stores.ts';

export interface Setting<T> {
  name: `COFFER_${string}`;
  description: string;
  /** As one would write it; without one the setting may be missing, or its value follows from others. */
  default?: string;
  /** What stands for a missing default in lists. */
  otherwise?: string;
  /** Never taken from the command line. */
  flagless?: true;
  /** What may be shown of the value, when not all of it. */
  conceal?: (value: string) => string;
  parse: parse.Parse<T>;
}

function setting<T>(record: Setting<T>): Setting<T> {
  return record;
}

/** Every setting of the server. `README.md` lists them; a test holds the two equal. */
export const settings = {
  configFile: setting({
    name: 'COFFER_CONFIG_FILE',
    description: 'A file of NAME=VALUE lines with any of the settings below; `#` begins a comment.',
    otherwise: 'none',
    parse: parse.path,
  }),
  databaseUrl: setting({
    name: 'COFFER_DATABASE_URL',
    description: 'PostgreSQL 14 or later.',
    otherwise: 'a private PostgreSQL in the data directory',
    flagless: true,
    conceal: parse.hideDatabasePassword,
    parse: parse.databaseUrl,
  }),
  keyringFile: setting({
    name: 'COFFER_KEYRING_FILE',
    description: 'The master keys, mode 0600, never inside the data directory.',
    default: './keys',
    parse: parse.path,
  }),
  stores: setting({
    name: 'COFFER_STORES',
    description:
      'Several secret stores, the first the default: `main=software:/etc/coffer/keys,hsm=pkcs11`. COFFER_KEYRING_FILE is then read where no store is a file, for the id of the installation alone.',
    otherwise: 'one, of COFFER_KEYRING_FILE',
    parse: storeList,
  }),
  pkcs11Module: setting({
    name: 'COFFER_PKCS11_MODULE',
    description: "The vendor's PKCS#11 library, for the store of the kind pkcs11.",
    otherwise: 'none',
    parse: parse.path,
  }),
  pkcs11Token: setting({
    name: 'COFFER_PKCS11_TOKEN',
    description: 'The label of the token.',
    default: 'coffer',
    parse: parse.text,
  }),
  pkcs11PinFile: setting({
    name: 'COFFER_PKCS11_PIN_FILE',
    description: "A file with the PIN of the token's user in its first line, mode 0600.",
    otherwise: 'none',
    parse: parse.path,
  }),
  pkcs11MasterKey: setting({
    name: 'COFFER_PKCS11_MASTER_KEY',
    description: 'The label of the first master key; `coffer master-key rotate` goes to others.',
    default: 'coffer-mk-1',
    parse: parse.text,
  }),
  pkcs11Mode: setting({
    name: 'COFFER_PKCS11_MODE',
    description:
      '`cached`: KEKs are opened by the token and held for 15 minutes at most. `strict`: they never leave it.',
    default: 'cached',
    parse: parse.oneOf('cached', 'strict'),
  }),
  pkcs11Sessions: setting({
    name: 'COFFER_PKCS11_SESSIONS',
    description: 'Sessions with the token: so many operations at once.',
    default: '4',
    parse: parse.integerWithin(1, 64),
  }),
  dataDir: setting({
    name: 'COFFER_DATA_DIR',
    description: 'The private PostgreSQL and `admin-openrc`.',
    default: './data',
    parse: parse.path,
  }),
  listen: setting({
    name: 'COFFER_LISTEN',
    description: 'Address and port to listen on.',
    default: '127.0.0.1:9311',
    parse: parse.listenAddress,
  }),
  publicUrl: setting({
    name: 'COFFER_PUBLIC_URL',
    description: 'The base of every reference and link. Needed when the server listens on all addresses.',
    otherwise: 'from COFFER_LISTEN and TLS',
    parse: parse.baseUrl,
  }),
  formerUrls: setting({
    name: 'COFFER_FORMER_URLS',
    description: 'Public URLs of before, with commas between: references under them still work in requests.',
    otherwise: 'none',
    parse: parse.baseUrls,
  }),
  region: setting({
    name: 'COFFER_REGION',
    description: 'The region of the service catalog.',
    default: 'RegionOne',
    parse: parse.text,
  }),
  rules: setting({
    name: 'COFFER_POLICY',
    description: "Who may do what: Barbican's `stock` rules, or its `secure` ones (admin, member, reader).",
    default: 'stock',
    parse: parse.oneOf('stock', 'secure'),
  }),
  checkContainers: setting({
    name: 'COFFER_CHECK_CONTAINERS',
    description: 'A key, certificate, passphrase or chain that do not belong together: `warn` or `refuse`.',
    default: 'warn',
    parse: parse.oneOf('warn', 'refuse'),
  }),
  tlsCertificateFile: setting({
    name: 'COFFER_TLS_CERTIFICATE_FILE',
    description: 'Certificate and chain in PEM; with it the server speaks HTTPS.',
    otherwise: 'none',
    parse: parse.path,
  }),
  tlsKeyFile: setting({
    name: 'COFFER_TLS_KEY_FILE',
    description: 'The private key of the certificate in PEM.',
    otherwise: 'none',
    parse: parse.path,
  }),
  noauth: setting({
    name: 'COFFER_NOAUTH',
    description: '1 believes the identity headers of every request. Only on a loopback address, for tests.',
    default: '0',
    flagless: true,
    parse: parse.toggle,
  }),
  metrics: setting({
    name: 'COFFER_METRICS',
    description: '1 serves Prometheus metrics at `/metrics`, to everyone who reaches the listener.',
    default: '0',
    parse: parse.toggle,
  }),
  logLevel: setting({
    name: 'COFFER_LOG_LEVEL',
    description: 'trace, debug, info, warn, error, fatal or silent.',
    default: 'info',
    parse: parse.oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  }),
  payloadBytesMax: setting({
    name: 'COFFER_PAYLOAD_BYTES_MAX',
    description: 'The longest payload.',
    default: '20000',
    parse: parse.integerWithin(1, 10_485_760),
  }),
  bodyBytesMax: setting({
    name: 'COFFER_BODY_BYTES_MAX',
    description: 'The longest request body; not less than the longest payload.',
    default: '25000',
    parse: parse.integerWithin(1_000, 16_777_216),
  }),
  tokenTtlSeconds: setting({
    name: 'COFFER_TOKEN_TTL',
    description: 'Life of a token in seconds, at most 8 hours.',
    default: '3600',
    parse: parse.integerWithin(60, 28_800),
  }),
  keystoneUrl: setting({
    name: 'COFFER_KEYSTONE_URL',
    description: 'A Keystone whose tokens count; Coffer then gives none of its own.',
    otherwise: 'none: Coffer gives tokens',
    parse: parse.baseUrl,
  }),
  keystoneUser: setting({
    name: 'COFFER_KEYSTONE_USER',
    description: 'As whom tokens are validated there: a user with the role `service`, or `admin`.',
    otherwise: 'none',
    parse: parse.text,
  }),
  keystoneUserDomain: setting({
    name: 'COFFER_KEYSTONE_USER_DOMAIN',
    description: 'The domain of that user, by name.',
    default: 'Default',
    parse: parse.text,
  }),
  keystonePasswordFile: setting({
    name: 'COFFER_KEYSTONE_PASSWORD_FILE',
    description: 'The password of that user, in a file that is closed to others.',
    otherwise: 'none',
    parse: parse.path,
  }),
  keystoneProject: setting({
    name: 'COFFER_KEYSTONE_PROJECT',
    description: 'The project that user logs in to, by name.',
    default: 'service',
    parse: parse.text,
  }),
  keystoneProjectDomain: setting({
    name: 'COFFER_KEYSTONE_PROJECT_DOMAIN',
    description: 'The domain of that project, by name.',
    default: 'Default',
    parse: parse.text,
  }),
  issuerPrivateAddresses: setting({
    name: 'COFFER_ISSUER_PRIVATE_ADDRESSES',
    description: '1 reads the key sets of all issuers from private addresses too, as inside a cluster.',
    default: '0',
    parse: parse.toggle,
  }),
  databasePool: setting({
    name: 'COFFER_DATABASE_POOL',
    description: 'The most connections to the database; two of them listen.',
    default: '16',
    parse: parse.integerWithin(4, 1_000),
  }),
  worker: setting({
    name: 'COFFER_WORKER',
    description: 'off leaves orders, purging and other jobs to `coffer worker` or to other servers.',
    default: 'on',
    parse: parse.oneOf('on', 'off'),
  }),
  workerListen: setting({
    name: 'COFFER_WORKER_LISTEN',
    description:
      'Address and port where `coffer worker` answers `/health/live`, `/health/ready` and, with COFFER_METRICS=1, `/metrics`, in plain HTTP.',
    otherwise: 'it listens nowhere',
    parse: parse.listenAddress,
  }),
  kekMaxAgeSeconds: setting({
    name: 'COFFER_KEK_MAX_AGE',
    description: 'A KEK older than this is rotated by the worker; `0` leaves that to `coffer kek rotate`.',
    default: '0',
    parse: parse.duration,
  }),
  rotationRate: setting({
    name: 'COFFER_ROTATION_RATE',
    description: 'How many rows a second a rotation moves at most, in each worker.',
    default: '10000',
    parse: parse.integerWithin(1, 1_000_000),
  }),
  purgeExpiredSeconds: setting({
    name: 'COFFER_PURGE_EXPIRED',
    description: 'How long after its end a secret is destroyed; 0 keeps it.',
    default: '30d',
    parse: parse.duration,
  }),
  purgeOrdersSeconds: setting({
    name: 'COFFER_PURGE_ORDERS',
    description: 'How long after its end an order is destroyed; what it made stays. 0 keeps it.',
    default: '90d',
    parse: parse.duration,
  }),
  connectionsMax: setting({
    name: 'COFFER_CONNECTIONS_MAX',
    description: 'The most open connections of clients; one more is closed at once.',
    default: '2000',
    parse: parse.integerWithin(1, 100_000),
  }),
  requestsMax: setting({
    name: 'COFFER_REQUESTS_MAX',
    description: 'The most requests in flight; one more is answered 503 with `Retry-After`.',
    default: '500',
    parse: parse.integerWithin(1, 100_000),
  }),
  quotaSecrets: quota('SECRETS', 'secrets'),
  quotaOrders: quota('ORDERS', 'orders'),
  quotaContainers: quota('CONTAINERS', 'containers'),
  quotaConsumers: quota('CONSUMERS', 'consumers'),
};

function quota(name: string, things: string): Setting<number> {
  return setting({
    name: `COFFER_QUOTA_${name}`,
    description: `How many ${things} a project may have that has no limit of its own; -1 is no limit.`,
    default: '-1',
    parse: parse.limit,
  });
}

export type Settings = typeof settings;
export type SettingKey = keyof Settings;
export const settingKeys = Object.keys(settings) as SettingKey[];

/** The flag of a setting: `COFFER_DATA_DIR` is `--data-dir`. */
export function flagOf(record: Setting<unknown>): string | undefined {
  if (record.flagless) return undefined;
  return record.name.slice('COFFER_'.length).toLowerCase().replaceAll('_', '-');
}
