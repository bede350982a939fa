// A process that asks for a pair while it can open no more files, and again when it can, and says what came.
import { closeSync, openSync } from 'node:fs';
import { makeKeyPair } from '../../src/orders/key-pairs.ts';

const held: number[] = [];

function openAll(): void {
  try {
    for (;;) held.push(openSync('/dev/null', 'r'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error;
  }
}

async function make(): Promise<string> {
  const { signal } = new AbortController();
  const plan = { algorithm: 'ed25519', bits: 256 } as const;
  return await makeKeyPair(plan, null, signal).then(
    () => 'made',
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );
}

openAll();
const without = await make();
for (const file of held) closeSync(file);
process.stdout.write(JSON.stringify([without, await make()]));
