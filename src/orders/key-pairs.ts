import { type ChildProcess, spawn } from 'node:child_process';
import { wipe } from '../crypto/envelope.ts';
import type { PairPlan } from './generation.ts';

/** PEM, but DER for DSA: PKCS#8, encrypted by PBES2 where there is a passphrase, and SubjectPublicKeyInfo. */
export interface KeyPair {
  privateKey: Uint8Array;
  publicKey: Uint8Array;
}

const TIMEOUT_MS = 120_000;

/**
 * Makes a pair in a process of its own: it can be ended at any moment, has a low priority, and takes no
 * thread from password hashes and files here. Nothing secret is in its arguments or environment; what it got
 * and made goes with it. The caller wipes the pair.
 */
export async function makeKeyPair(
  { algorithm, bits }: Pick<PairPlan, 'algorithm' | 'bits'>,
  passphrase: Uint8Array | null,
  signal: AbortSignal,
): Promise<KeyPair> {
  const child = spawn(
    process.execPath,
    ['--eval', `(${makeInChild.toString()})()`, algorithm, String(bits)],
    {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
      signal,
      killSignal: 'SIGKILL',
    },
  );
  const chunks: Buffer[] = [];
  // Not that of `spawn`, which a child that could not be started leaves running.
  const overdue = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  try {
    return splitPair(await outputOf(child, passphrase, chunks));
  } finally {
    clearTimeout(overdue);
    wipe(...chunks);
  }
}

async function outputOf(
  child: ChildProcess,
  passphrase: Uint8Array | null,
  chunks: Buffer[],
): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve(Buffer.concat(chunks));
      else reject(new Error(`the generation of keys ended with ${killedBy ?? code}`));
    });
    // A child for which there was no pipe has none, and its error is still to come.
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A child that is ended early does not read what it was sent.
    child.stdin?.on('error', () => {});
    child.stdin?.end(passphrase ?? undefined);
  });
}

/** The length of the private key in four bytes, and both keys. */
function splitPair(output: Buffer): KeyPair {
  try {
    const end = 4 + output.readUInt32BE(0);
    return {
      privateKey: new Uint8Array(output.subarray(4, end)),
      publicKey: new Uint8Array(output.subarray(end)),
    };
  } finally {
    wipe(output);
  }
}

/** The program of the child: nothing outside of this function is in reach there. */
function makeInChild(): void {
  const { generateKeyPairSync } = process.getBuiltinModule('node:crypto');
  const { readFileSync, writeSync } = process.getBuiltinModule('node:fs');
  process.getBuiltinModule('node:os').setPriority(10);
  interface Made {
    privateKey: string | Buffer;
    publicKey: string | Buffer;
  }
  const [algorithm, bits] = [process.argv[1] ?? '', Number(process.argv[2])];
  const passphrase = readFileSync(0);
  const format = algorithm === 'dsa' ? 'der' : 'pem';
  const protection = passphrase.length === 0 ? {} : { cipher: 'aes-256-cbc', passphrase };
  const encodings = {
    privateKeyEncoding: { type: 'pkcs8', format, ...protection },
    publicKeyEncoding: { type: 'spki', format },
  };
  const parameters: Record<string, object> = {
    rsa: { modulusLength: bits },
    // FIPS 186-4: the group of 1024 bits has 160, the longer ones 256.
    dsa: { modulusLength: bits, divisorLength: bits === 1024 ? 160 : 256 },
    ec: { namedCurve: bits === 256 ? 'P-256' : 'P-384' },
    ed25519: {},
  };
  const generate = generateKeyPairSync as unknown as (type: string, options: object) => Made;
  const made = generate(algorithm, { ...parameters[algorithm], ...encodings });
  const [privateKey, publicKey] = [
    Buffer.from(made['privateKey'] ?? ''),
    Buffer.from(made['publicKey'] ?? ''),
  ];
  const length = Buffer.alloc(4);
  length.writeUInt32BE(privateKey.length);
  for (const part of [length, privateKey, publicKey]) {
    for (let sent = 0; sent < part.length; ) sent += writeSync(1, part, sent);
  }
}
