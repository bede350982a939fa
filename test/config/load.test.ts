import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagOf, type Setting, settingKeys, settings } from '../../src/config/settings.ts';
import type { Sources } from '../../src/config/sources.ts';
import { loadConfig } from '../../src/config.ts';
import { CofferError } from '../../src/errors.ts';
import * as certificates from './certificates.ts';

let cwd: string;

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'coffer-config-'));
});
afterAll(() => {
  rmSync(cwd, { recursive: true, force: true });
});

function load(env: Record<string, string> = {}, flags: Sources['flags'] = {}) {
  return loadConfig({ flags, env, cwd });
}

function problemsOf(env: Record<string, string>, flags: Sources['flags'] = {}): string {
  try {
    load(env, flags);
  } catch (error) {
    expect(error).toBeInstanceOf(CofferError);
    expect((error as CofferError).code).toBe('configuration');
    return (error as Error).message;
  }
  throw new Error('the configuration was accepted');
}

describe('loadConfig', () => {
  it('has a working default for everything', () => {
    expect(load().config).toEqual({
      databaseUrl: undefined,
      databasePool: 16,
      installationFile: join(cwd, 'keys'),
      kekMaxAgeSeconds: 0,
      rotationRate: 10_000,
      pkcs11: undefined,
      keyringFile: join(cwd, 'keys'),
      stores: [{ name: 'software', kind: 'software', file: join(cwd, 'keys') }],
      hasNamedStores: false,
      dataDir: join(cwd, 'data'),
      listen: { host: '127.0.0.1', port: 9311 },
      formerUrls: [],
      keystone: undefined,
      issuerPrivateAddresses: false,
      publicUrl: 'http://127.0.0.1:9311',
      region: 'RegionOne',
      rules: 'stock',
      checkContainers: 'warn',
      tls: undefined,
      noauth: false,
      metrics: false,
      logLevel: 'info',
      payloadBytesMax: 20_000,
      bodyBytesMax: 25_000,
      tokenTtlSeconds: 3_600,
      worker: 'on',
      purgeExpiredSeconds: 30 * 86_400,
      purgeOrdersSeconds: 90 * 86_400,
      connectionsMax: 2_000,
      requestsMax: 500,
      quotaSecrets: -1,
      quotaOrders: -1,
      quotaContainers: -1,
      quotaConsumers: -1,
    });
  });

  it('takes several secret stores, and then no COFFER_KEYRING_FILE', () => {
    const env = {
      COFFER_STORES: 'main=software:one/keys,second=software:/two/keys',
      COFFER_KEYRING_FILE: 'x',
    };
    const { config } = loadConfig({ flags: {}, env, cwd });
    expect(config.hasNamedStores).toBe(true);
    expect(config.stores).toEqual([
      { name: 'main', kind: 'software', file: join(cwd, 'one/keys') },
      { name: 'second', kind: 'software', file: '/two/keys' },
    ]);
  });

  it.each([
    ['without a kind', 'main=/keys', 'is NAME=software:FILE'],
    ['of an unknown kind', 'main=floppy:/keys', 'names the kind floppy'],
    ['of one name', 'main=software:/a,main=software:/b', 'gives a name twice'],
    ['of one file', 'main=software:/a,second=software:/a', 'gives a file twice'],
    ['with an odd name', 'Main=software:/a', 'is NAME=software:FILE'],
    ['in the data directory', 'main=software:data/keys', 'is inside the data directory'],
  ])('refuses stores %s', (_, stores, why) => {
    expect(() => loadConfig({ flags: {}, env: { COFFER_STORES: stores }, cwd })).toThrow(why);
  });

  it('takes a flag before the environment before the file before the default, and says which', () => {
    const file = join(cwd, 'coffer.conf');
    writeFileSync(
      file,
      [
        '# settings',
        '',
        'COFFER_REGION=file',
        'export COFFER_POLICY = "secure"',
        'COFFER_METRICS=1',
        "COFFER_LOG_LEVEL='debug'",
      ].join('\n'),
    );
    const env = { COFFER_CONFIG_FILE: file, COFFER_REGION: 'environment', COFFER_METRICS: '0' };
    const { config, origins } = load(env, { region: 'flag' });
    expect(config).toMatchObject({ region: 'flag', metrics: false, rules: 'secure', logLevel: 'debug' });
    const from = (name: string) => origins.find((origin) => origin.name === name)?.origin;
    expect(from('COFFER_REGION')).toBe('flag --region');
    expect(from('COFFER_METRICS')).toBe('environment');
    expect(from('COFFER_POLICY')).toBe(`file ${file}:4`);
    expect(from('COFFER_DATA_DIR')).toBe('default');
    expect(load({}, { 'config-file': 'coffer.conf' }).config.region).toBe('file');
  });

  it('lists every problem at once, with no value in it', () => {
    const message = problemsOf({
      COFFER_DATABASE_URL: 'mysql://root:canary-1@db/coffer',
      COFFER_LISTEN: 'canary-2',
      COFFER_POLICY: 'canary-3',
      COFFER_TOKEN_TTL: '28801',
      COFFER_PAYLOAD_BYTES_MAX: '2e4',
      COFFER_REGION: '',
      COFFER_METRICS: 'yes',
      COFFER_KEYRNG_FILE: 'canary-4',
    });
    for (const name of [
      'DATABASE_URL',
      'LISTEN',
      'POLICY',
      'TOKEN_TTL',
      'PAYLOAD_BYTES_MAX',
      'REGION',
      'METRICS',
    ]) {
      expect(message).toContain(`COFFER_${name}: `);
    }
    expect(message).toContain('has 8 problems');
    expect(message).toContain('the nearest is COFFER_KEYRING_FILE');
    expect(message).not.toContain('canary');
  });

  it('refuses a setting that is set and empty', () => {
    expect(problemsOf({ COFFER_DATABASE_URL: '' })).toContain('COFFER_DATABASE_URL: is set and empty');
  });

  it('lets the variables of the client and of other programs pass', () => {
    const env = { COFFER_TEST_ROUNDS: '1', COFFER_CREDENTIAL_FILE: '/x', OS_PASSWORD: 'x', COFFERDAM: 'x' };
    expect(() => load(env)).not.toThrow();
  });

  it('starts in a pod that Kubernetes tells of a Service called coffer', () => {
    const links = {
      COFFER_SERVICE_HOST: '10.0.0.7',
      COFFER_SERVICE_PORT: '9311',
      COFFER_SERVICE_PORT_HTTP: '9311',
      COFFER_PORT: 'tcp://10.0.0.7:9311',
      COFFER_PORT_9311_TCP: 'tcp://10.0.0.7:9311',
      COFFER_PORT_9311_TCP_PROTO: 'tcp',
      COFFER_PORT_9311_TCP_ADDR: '10.0.0.7',
    };
    expect(() => load(links)).not.toThrow();
    expect(problemsOf({ COFFER_PORT: '9311' })).toContain('COFFER_PORT in the environment is no setting');
  });

  it('names the file and line of what is wrong in the settings file', () => {
    const file = join(cwd, 'bad.conf');
    writeFileSync(
      file,
      'COFFER_REGION=a\nCOFFER_REGION=b\nnonsense\nCOFFER_CONFIG_FILE=x\nCOFFER_REGOIN=x\n',
    );
    const message = problemsOf({ COFFER_CONFIG_FILE: file });
    expect(message).toContain(`${file}:2: COFFER_REGION is set a second time`);
    expect(message).toContain(`${file}:3: a line is NAME=VALUE`);
    expect(message).toContain(`${file}:4: COFFER_CONFIG_FILE cannot`);
    expect(message).toContain(`COFFER_REGOIN in ${file}:5 is no setting; the nearest is COFFER_REGION`);
    expect(problemsOf({ COFFER_CONFIG_FILE: '/nowhere' })).toContain('/nowhere cannot be read (ENOENT)');
  });

  it('never takes the database or the no-authentication mode from the command line', () => {
    const { config } = load({}, { 'database-url': 'postgresql://x/y', noauth: '1' });
    expect(config.databaseUrl).toBeUndefined();
    expect(config.noauth).toBe(false);
    expect(flagOf(settings.databaseUrl)).toBeUndefined();
    expect(flagOf(settings.noauth)).toBeUndefined();
    expect(flagOf(settings.tlsKeyFile)).toBe('tls-key-file');
  });

  it('takes the settings of a token together', () => {
    const token = { COFFER_PKCS11_MODULE: '/lib/token.so', COFFER_PKCS11_PIN_FILE: '/etc/pin' };
    const load = (env: Record<string, string>) => loadConfig({ flags: {}, env, cwd });
    expect(load({ ...token, COFFER_STORES: 'hsm=pkcs11' }).config.pkcs11).toEqual({
      module: '/lib/token.so',
      tokenLabel: 'coffer',
      pinFile: '/etc/pin',
      masterKey: 'coffer-mk-1',
      mode: 'cached',
      sessions: 4,
    });
    expect(() => load({ COFFER_STORES: 'hsm=pkcs11' })).toThrow(
      /COFFER_PKCS11_MODULE.*COFFER_PKCS11_PIN_FILE/s,
    );
    expect(() => load({ COFFER_PKCS11_PIN_FILE: '/etc/pin' })).toThrow('COFFER_PKCS11_MODULE: is needed');
    expect(() => load({ ...token, COFFER_STORES: 'one=pkcs11,two=pkcs11' })).toThrow('at most');
  });

  it('has a name, a description and a default or its substitute for every setting', () => {
    for (const key of settingKeys) {
      const record: Setting<unknown> = settings[key];
      expect(record.name).toMatch(/^COFFER_[A-Z][A-Z0-9_]*$/);
      expect(record.description).toMatch(/\.$/);
      expect((record.default === undefined) !== (record.otherwise === undefined), record.name).toBe(true);
    }
  });
});

describe('the password of the database', () => {
  const shown = (url: string) =>
    load({ COFFER_DATABASE_URL: url }).origins.find(({ name }) => name === 'COFFER_DATABASE_URL')?.value;

  it.each([
    ['postgresql://coffer:canary@db:5432/coffer', 'postgresql://coffer:***@db:5432/coffer'],
    ['postgres://coffer:canary@/coffer?host=/run/pg', 'postgres://coffer:***@/coffer?host=/run/pg'],
    [
      'postgresql:///coffer?host=/run/pg&password=canary',
      'postgresql:///coffer?host=%2Frun%2Fpg&password=***',
    ],
    ['postgresql://coffer@db/coffer?sslpassword=canary', 'postgresql://coffer@db/coffer?sslpassword=***'],
    ['postgresql:///coffer', 'postgresql:///coffer'],
  ])('is hidden in %s', (url, expected) => {
    expect(load({ COFFER_DATABASE_URL: url }).config.databaseUrl).toBe(url);
    expect(shown(url)).toBe(expected);
  });
});

describe('addresses', () => {
  it.each([
    ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
    ['[::1]:9311', { host: '::1', port: 9311 }],
    ['localhost:65535', { host: 'localhost', port: 65_535 }],
  ])('COFFER_LISTEN takes %s', (value, listen) => {
    expect(load({ COFFER_LISTEN: value, COFFER_PUBLIC_URL: 'https://a' }).config.listen).toEqual(listen);
  });

  it.each([
    '9311',
    ':9311',
    '::1:9311',
    '[::1]',
    '[1.2.3.4]:1',
    'host:0',
    'host:65536',
    'http://host:1',
    'a b:1',
  ])('COFFER_LISTEN refuses %s', (value) => {
    expect(problemsOf({ COFFER_LISTEN: value })).toContain('COFFER_LISTEN: is HOST:PORT');
  });

  it('follows the listener without a public URL, and asks for one when there is nothing to follow', () => {
    expect(load({ COFFER_LISTEN: '[::1]:80' }).config.publicUrl).toBe('http://[::1]');
    for (const all of ['0.0.0.0:9311', '[::]:9311', '[0:0:0:0:0:0:0:0]:9311']) {
      expect(problemsOf({ COFFER_LISTEN: all })).toContain('COFFER_PUBLIC_URL: is needed');
    }
  });

  it('keeps the path of a public URL and drops its last slash', () => {
    const { config } = load({
      COFFER_PUBLIC_URL: 'HTTPS://Vault.Example.org:443/key-manager/',
    });
    expect(config.publicUrl).toBe('https://vault.example.org/key-manager');
  });

  it.each(['ftp://a', 'a', 'https://u:p@a', 'https://a?x', 'https://a#x', 'https://a/?', 'https:// a'])(
    'COFFER_PUBLIC_URL refuses %s',
    (value) => {
      expect(problemsOf({ COFFER_PUBLIC_URL: value })).toContain('COFFER_PUBLIC_URL: is a URL');
    },
  );

  it('allows the no-authentication mode on loopback addresses alone', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', '[::1]', 'localhost']) {
      expect(load({ COFFER_NOAUTH: '1', COFFER_LISTEN: `${host}:1` }).config.noauth).toBe(true);
    }
    for (const host of ['0.0.0.0', '10.0.0.1', '[::]', '127.example.org', 'localhost.example.org']) {
      const env = { COFFER_NOAUTH: '1', COFFER_LISTEN: `${host}:1`, COFFER_PUBLIC_URL: 'http://a' };
      expect(problemsOf(env)).toContain('COFFER_NOAUTH: only');
    }
  });
});

describe('files', () => {
  it('refuses a keyring inside the data directory, through links and before either exists', () => {
    const refusal = 'is inside the data directory';
    mkdirSync(join(cwd, 'real'), { recursive: true });
    symlinkSync(join(cwd, 'real'), join(cwd, 'link'));
    for (const [keyring, data] of [
      ['data/keys', 'data'],
      ['data', 'data'],
      ['data/a/../b/keys', './data/'],
      ['link/keys', 'real'],
      ['real/keys', 'link'],
      ['real/new/keys', 'link/new'],
      ['data/..keys', 'data'],
    ] as const) {
      expect(problemsOf({ COFFER_KEYRING_FILE: keyring, COFFER_DATA_DIR: data }), keyring).toContain(refusal);
    }
    expect(() => load({ COFFER_KEYRING_FILE: 'data-keys', COFFER_DATA_DIR: 'data' })).not.toThrow();
  });

  it('wants a certificate with its own key, both readable', () => {
    const write = (name: string, { cert, key }: { cert: string; key: string }) => {
      writeFileSync(join(cwd, `${name}.crt`), cert);
      writeFileSync(join(cwd, `${name}.key`), key);
      return { COFFER_TLS_CERTIFICATE_FILE: `${name}.crt`, COFFER_TLS_KEY_FILE: `${name}.key` };
    };
    const one = write('one', certificates.one);
    const other = write('other', certificates.other);
    const { config } = load(one);
    expect(config.publicUrl).toBe('https://127.0.0.1:9311');
    expect(config.tls?.key.toString()).toContain('PRIVATE KEY');

    expect(problemsOf({ ...one, COFFER_TLS_KEY_FILE: other.COFFER_TLS_KEY_FILE })).toContain(
      'is not the key of',
    );
    expect(problemsOf({ ...one, COFFER_TLS_KEY_FILE: one.COFFER_TLS_CERTIFICATE_FILE })).toContain(
      'no private key',
    );
    expect(problemsOf({ ...one, COFFER_TLS_CERTIFICATE_FILE: one.COFFER_TLS_KEY_FILE })).toContain(
      'no certificate',
    );
    expect(problemsOf({ ...one, COFFER_TLS_KEY_FILE: 'nowhere' })).toContain('cannot be read (ENOENT)');
    expect(problemsOf({ COFFER_TLS_KEY_FILE: one.COFFER_TLS_KEY_FILE })).toContain(
      'COFFER_TLS_CERTIFICATE_FILE: is missing',
    );
    expect(problemsOf({ COFFER_TLS_CERTIFICATE_FILE: one.COFFER_TLS_CERTIFICATE_FILE })).toContain(
      'COFFER_TLS_KEY_FILE: is missing',
    );
  });

  it('bounds the limits to each other', () => {
    expect(problemsOf({ COFFER_BODY_BYTES_MAX: '19999' })).toContain('is less than COFFER_PAYLOAD_BYTES_MAX');
  });
});
