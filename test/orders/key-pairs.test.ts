import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { makeKeyPair } from '../../src/orders/key-pairs.ts';
import { childrenOf } from './children.ts';

const working = new AbortController().signal;
const PAIRS = [
  ['rsa', 1024],
  ['rsa', 2048],
  ['dsa', 1024],
  ['dsa', 2048],
  ['ec', 256],
  ['ec', 384],
  ['ed25519', 256],
] as const;

it.each(PAIRS)('makes %s keys of %i bits that belong together', async (algorithm, bits) => {
  const pair = await makeKeyPair({ algorithm, bits }, null, working);
  const [privateKey, publicKey] = [Buffer.from(pair.privateKey), Buffer.from(pair.publicKey)];
  const isDer = algorithm === 'dsa';
  const priv = createPrivateKey(isDer ? { key: privateKey, format: 'der', type: 'pkcs8' } : privateKey);
  const pub = createPublicKey(isDer ? { key: publicKey, format: 'der', type: 'spki' } : publicKey);
  expect(priv.asymmetricKeyType).toBe(algorithm);
  const { modulusLength, divisorLength, namedCurve } = priv.asymmetricKeyDetails ?? {};
  if (algorithm === 'rsa' || algorithm === 'dsa') expect(modulusLength).toBe(bits);
  if (algorithm === 'dsa') expect(divisorLength).toBe(bits === 1024 ? 160 : 256);
  if (algorithm === 'ec') expect(namedCurve).toBe(bits === 256 ? 'prime256v1' : 'secp384r1');
  if (!isDer) {
    expect(privateKey.toString()).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(publicKey.toString()).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
  }
  const digest = algorithm === 'ed25519' ? null : 'sha256';
  const data = Buffer.from('signed');
  expect(verify(digest, data, pub, sign(digest, data, priv))).toBe(true);
});

it('encrypts the private key by PKCS#8 PBES2 under the passphrase', async () => {
  const passphrase = 'pass phrase ü';
  const pair = await makeKeyPair({ algorithm: 'rsa', bits: 1024 }, Buffer.from(passphrase), working);
  const key = Buffer.from(pair.privateKey).toString();
  expect(key).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  expect(() => createPrivateKey({ key, passphrase: 'another' })).toThrow();
  const opened = createPublicKey(createPrivateKey({ key, passphrase })).export({
    type: 'spki',
    format: 'pem',
  });
  expect(opened).toBe(Buffer.from(pair.publicKey).toString());
  const der = Buffer.from(key.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  // 1.2.840.113549.1.5.13, PBES2, and 2.16.840.1.101.3.4.1.42, AES-256-CBC
  expect(der.includes(Buffer.from('06092a864886f70d01050d', 'hex'))).toBe(true);
  expect(der.includes(Buffer.from('060960864801650304012a', 'hex'))).toBe(true);
});

it('ends the process that generates when it is told to stop', async () => {
  const stopping = new AbortController();
  // Two primes of 8,192 bits: to make sure of each takes longer than all that is waited for here.
  const making = makeKeyPair({ algorithm: 'rsa', bits: 16_384 }, null, stopping.signal);
  const ended = expect(making).rejects.toThrow();
  await expect.poll(() => childrenOf(process.pid), { timeout: 10_000 }).toHaveLength(1);
  stopping.abort();
  await ended;
  await expect.poll(() => childrenOf(process.pid), { timeout: 10_000 }).toEqual([]);
});

it('says when the process fails, and leaves nothing waiting', async () => {
  const nonsense = { algorithm: 'nonsense' as 'rsa', bits: 1 };
  await expect(makeKeyPair(nonsense, Buffer.alloc(1_000, 'x'), working)).rejects.toThrow('ended with 1');
});

it('says when no process can be started for want of files, harms nobody, and works when there are some', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'coffer-files-'));
  try {
    const program = join(folder, 'out-of-files.mjs');
    await build({
      entryPoints: [fileURLToPath(new URL('out-of-files.ts', import.meta.url))],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'warning',
    });
    const command = ['-c', 'ulimit -n 64 && exec "$0" "$1"', process.execPath, program];
    // Nothing is left that keeps it from its end: least of all the two minutes that a pair may take.
    const { stdout } = await promisify(execFile)('sh', command, { timeout: 60_000 });
    expect(JSON.parse(stdout)).toEqual(['EMFILE', 'made']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
