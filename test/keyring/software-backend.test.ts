import { randomBytes } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createKeyringFile, keyringFileAt, readKeyringFile } from '../../src/keyring/keyring-file.ts';
import { type MasterKeys } from '../../src/keyring/master-keys.ts';
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

exerciseBackend('software', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'coffer-backend-'));
  const file = join(folder, 'keys');
  await createKeyringFile(file, 'one');
  const line = `key two ${randomBytes(32).toString('hex')}\n`;
  await writeFile(file, line, { flag: 'a' });
  const backend = createSoftwareBackend('software', await readKeyringFile(file), {
    place: keyringFileAt(file),
  });
  const stranger = createSoftwareBackend('software', masterKeys());
  return {
    backend,
    stranger,
    otherMasterKeyId: 'two',
    // Its master keys are in memory: the file is read once.
    takeAway: async () => {
      await rename(file, `${file}.away`);
      return async () => await rename(`${file}.away`, file);
    },
    goesOn: 'all',
    dispose: async () => {
      backend.close();
      stranger.close();
      await rm(folder, { recursive: true });
    },
  };
});

describe('the software backend, closed', () => {
  it('has wiped its master keys', () => {
    const { keys, ...rest } = masterKeys();
    const held = [...keys.values()];
    createSoftwareBackend('software', { keys, ...rest }).close();
    expect(held).toEqual([new Uint8Array(32), new Uint8Array(32)]);
  });
});
