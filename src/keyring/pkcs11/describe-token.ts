import { performance } from 'node:perf_hooks';
import type { TokenDescription } from './messages.ts';
import type { Token } from './token.ts';

const SAMPLES = 200;

/** What an operator wants to know of a token, with the latency of an encryption under the master key. */
export async function describeToken(token: Token, masterKey: string): Promise<TokenDescription> {
  const masterKeys = await token.listMasterKeys();
  const hasActiveMasterKey = masterKeys.includes(masterKey);
  return {
    ...token.readInformation(),
    masterKeys,
    hasActiveMasterKey,
    latency: hasActiveMasterKey ? await measure(token, masterKey) : null,
  };
}

async function measure(token: Token, masterKey: string): Promise<{ p50: number; p99: number }> {
  const key = await token.findMasterKey(masterKey);
  const plaintext = Buffer.alloc(32, 1);
  const samples: number[] = [];
  for (let n = 0; n < SAMPLES; n += 1) {
    const started = performance.now();
    await token.encrypt(key, plaintext, plaintext);
    samples.push(performance.now() - started);
  }
  samples.sort((a, b) => a - b);
  const at = (share: number): number => samples[Math.floor(share * (SAMPLES - 1))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
