import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TokenClient, type TokenClientOptions } from '../../src/keyring/pkcs11/token-client.ts';

const MODULES = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so'];

/** A SoftHSM of its own, in its own folder. */
export interface SoftHsm {
  module: string;
  /** Where its tokens are: moved away, they are unplugged. */
  tokens: string;
  folder: string;
  /** A token with that label, and a PIN file for it. */
  makeToken(label: string): Promise<{ pinFile: string }>;
  /** One more AES key in a token, by a tool of others: also of a label that is taken. */
  makeKey(token: string, label: string): Promise<void>;
  remove(): Promise<void>;
}

export function hasSoftHsm(): boolean {
  return MODULES.some((path) => existsSync(path));
}

/** The library finds its configuration through this process's environment: one SoftHSM a test file. */
export async function startSoftHsm(): Promise<SoftHsm> {
  const module = MODULES.find((path) => existsSync(path));
  if (module === undefined) throw new Error('SoftHSM is not installed: apt-get install softhsm2');
  const folder = await mkdtemp(join(tmpdir(), 'coffer-hsm-'));
  const tokens = join(folder, 'tokens');
  await mkdir(tokens);
  const configuration = join(folder, 'softhsm2.conf');
  await writeFile(configuration, `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`);
  process.env.SOFTHSM2_CONF = configuration;
  return {
    module,
    tokens,
    folder,
    makeToken: async (label) => {
      const pin = randomBytes(8).toString('hex');
      const words = ['--init-token', '--free', '--label', label, '--so-pin', pin, '--pin', pin];
      execFileSync('softhsm2-util', words, { stdio: 'ignore' });
      const pinFile = join(folder, `${label}.pin`);
      await writeFile(pinFile, `${pin}\n`, { mode: 0o600 });
      return { pinFile };
    },
    makeKey: async (token, label) => {
      const pin = (await readFile(join(folder, `${token}.pin`), 'utf8')).trim();
      const [file, id] = [join(folder, 'made.key'), randomBytes(8).toString('hex')];
      await writeFile(file, randomBytes(32));
      const words = ['--import', file, '--aes', '--token', token, '--pin', pin];
      execFileSync('softhsm2-util', [...words, '--label', label, '--id', id], { stdio: 'ignore' });
    },
    remove: async () => await rm(folder, { recursive: true }),
  };
}

/** A client of one token, through the built child. */
export function connect(
  hsm: SoftHsm,
  label: string,
  pinFile: string,
  options: Partial<TokenClientOptions> = {},
): TokenClient {
  return new TokenClient({
    address: { module: hsm.module, tokenLabel: label, pinFile, sessions: 4 },
    log: { info: () => {}, warn: () => {}, error: () => {} },
    childFile: resolve('dist/pkcs11-token.js'),
    ...options,
  });
}
