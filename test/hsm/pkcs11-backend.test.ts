import { rename } from 'node:fs/promises';
import { afterAll, beforeAll } from 'vitest';
import { createPkcs11Backend, type Pkcs11Mode } from '../../src/keyring/pkcs11/pkcs11-backend.ts';
import { exerciseBackend } from '../harness/exercise-backend.ts';
import { connect, type SoftHsm, startSoftHsm } from './soft-token.ts';

let hsm: SoftHsm;
let pins: Map<string, string>;

beforeAll(async () => {
  hsm = await startSoftHsm();
  pins = new Map();
  for (const label of ['own', 'foreign']) {
    const { pinFile } = await hsm.makeToken(label);
    pins.set(label, pinFile);
    const client = connect(hsm, label, pinFile);
    for (const masterKey of ['mk-1', 'mk-2']) await client.call('makeMasterKey', { label: masterKey });
    client.close();
  }
});

afterAll(async () => await hsm.remove());

function open(label: string, mode: Pkcs11Mode) {
  const client = connect(hsm, label, pins.get(label) ?? '');
  return createPkcs11Backend({ store: 'hsm', mode, masterKey: 'mk-1', client });
}

for (const mode of ['cached', 'strict'] as const) {
  exerciseBackend(`PKCS#11 (${mode})`, async () => {
    const [backend, stranger] = [open('own', mode), open('foreign', mode)];
    return await Promise.resolve({
      backend,
      stranger,
      otherMasterKeyId: 'mk-2',
      takeAway: async () => {
        await rename(hsm.tokens, `${hsm.tokens}.away`);
        return async () => await rename(`${hsm.tokens}.away`, hsm.tokens);
      },
      goesOn: mode === 'cached' ? 'open KEKs' : 'nothing',
      dispose: async () => {
        backend.close();
        stranger.close();
      },
    });
  });
}
