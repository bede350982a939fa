import '../../src/keyring/pkcs11/token-process.ts';
import type { TokenRequest } from '../../src/keyring/pkcs11/messages.ts';

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

process.on('SIGUSR1', () => {
  void load().then((library) => {
    for (const slot of library.C_GetSlotList(true)) library.C_CloseAllSessions(slot);
    process.send?.({ id: 0, answer: 'done' });
  });
});

process.on('SIGUSR2', () => {
  void load().then((library) => {
    library.C_Finalize();
    process.send?.({ id: 0, answer: 'done' });
  });
});
