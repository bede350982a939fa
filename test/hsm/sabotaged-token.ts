import '../../src/keyring/pkcs11/token-process.ts';
import type { TokenRequest } from '../../src/keyring/pkcs11/messages.ts';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HEARD } from './faults.ts';

// The token's process with two ways to lose its footing from outside. A library's state is its process's: a
// second handle to it closes the sessions of the first.

let module: string | undefined;

process.on('message', ({ call, asked }: TokenRequest) => {
  if (call === 'open') ({ module } = asked as { module: string });
});

async function load() {
  const cryptoki = (await import('pkcs11js')).default;
  const second = new cryptoki.PKCS11();
  second.load(module ?? '');
  return second;
}

function sayDone(): void {
  writeFileSync(join(dirname(process.env['SOFTHSM2_CONF'] ?? ''), HEARD), '');
}

process.on('SIGUSR1', () => {
  void load().then((library) => {
    for (const slot of library.C_GetSlotList(true)) library.C_CloseAllSessions(slot);
    sayDone();
  });
});

process.on('SIGUSR2', () => {
  void load().then((library) => {
    library.C_Finalize();
    sayDone();
  });
});
