import { existsSync } from 'node:fs';
import { wipe } from '../crypto/envelope.ts';
import { CofferError } from '../errors.ts';
import type { CryptoBackend } from './backend.ts';
import { createKeyringFile, type MasterKeys, readKeyringFile } from './master-keys.ts';
import { createSoftwareBackend } from './software-backend.ts';
import { createStores, type Stores } from './stores.ts';

interface StoreFile {
  name: string;
  file: string;
}

/**
 * Opens keyring files as the stores that they are. All are of the installation of the first: its id is bound
 * into every key, whichever store holds it. `missingKeyId` makes the files of other stores that are not
 * there.
 *
 * @throws CofferError `configuration` for a file that cannot be used, or is of another installation.
 */
export async function openStoreFiles(
  [first, ...others]: readonly [StoreFile, ...StoreFile[]],
  { missingKeyId }: { missingKeyId?: string | undefined } = {},
): Promise<{ installationId: Uint8Array; stores: Stores }> {
  const masterKeys = await readKeyringFile(first.file);
  const installationId = Uint8Array.from(masterKeys.installationId);
  const opened: MasterKeys[] = [masterKeys];
  const backends: [CryptoBackend, ...CryptoBackend[]] = [createSoftwareBackend(first.name, masterKeys)];
  try {
    for (const { name, file } of others) {
      if (missingKeyId !== undefined && !existsSync(file)) {
        await createKeyringFile(file, missingKeyId, installationId);
      }
      const keys = await readKeyringFile(file);
      opened.push(keys);
      if (Buffer.compare(keys.installationId, installationId) !== 0) {
        throw new CofferError(
          'configuration',
          `The keyring ${file} is of another installation than ${first.file}. ` +
            `Make one of the same with: coffer keyring create FILE --installation-of ${first.file}`,
        );
      }
      backends.push(createSoftwareBackend(name, keys));
    }
  } catch (error) {
    for (const { keys } of opened) wipe(...keys.values());
    throw error;
  }
  return { installationId, stores: createStores(backends) };
}
