import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { MasterKeys } from '../../src/keyring/master-keys.ts';
import { createSoftwareBackend } from '../../src/keyring/software-backend.ts';
import { exerciseBackend } from '../harness/exercise-backend.ts';

const masterKeys = (): MasterKeys => ({
  installationId: randomBytes(16),
  activeId: 'one',
  keys: new Map([
    ['one', new Uint8Array(randomBytes(32))],
    ['two', new Uint8Array(randomBytes(32))],
  ]),
});

exerciseBackend('software', async () => ({
  backend: createSoftwareBackend('software', masterKeys()),
  stranger: createSoftwareBackend('software', masterKeys()),
  otherMasterKeyId: 'two',
  dispose: async () => {},
}));

describe('the software backend, closed', () => {
  it('has wiped its master keys', () => {
    const { keys, ...rest } = masterKeys();
    const held = [...keys.values()];
    createSoftwareBackend('software', { keys, ...rest }).close();
    expect(held).toEqual([new Uint8Array(32), new Uint8Array(32)]);
  });
});
