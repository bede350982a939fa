import { existsSync } from 'node:fs';
import { wipe } from '../crypto/envelope.ts';
import { CofferError } from '../errors.ts';
import {
  createFile,
  FILE_BYTES_MAX,
  type KeyringPlace,
  newKeyring,
  readPrivately,
  replaceFile,
} from './keyring-file.ts';
import { refuseKeyring } from './master-keys.ts';
import { formatShare } from './shares.ts';
import {
  formatSplitKeyring,
  isSplitKeyring,
  nameOfSet,
  openSplitKeyring,
  parseSplitKeyring,
  resealKeyring,
  type Split,
  type SplitKeyring,
  splitKeyring,
  type WrappingKeys,
} from './split-keyring.ts';

/** Gives the shares to people, each as it is written, before the keyring that they open has its name. */
export type HandOver = (shares: readonly Uint8Array[]) => Promise<void>;

/** Undefined for a keyring in clear, and where there is none. @throws CofferError `configuration`. */
export async function findSplitKeyring(path: string): Promise<SplitKeyring | undefined> {
  if (!existsSync(path)) return undefined;
  const content = await readPrivately(path);
  try {
    return isSplitKeyring(content) ? parseSplitKeyring(path, content) : undefined;
  } finally {
    wipe(content);
  }
}

/** A split keyring's file, read and replaced under a key that its shares gave. Borrows the keys. */
export function splitKeyringAt(path: string, keys: WrappingKeys): KeyringPlace {
  const current = async (): Promise<{ keyring: SplitKeyring; key: Uint8Array }> => {
    const keyring = await findSplitKeyring(path);
    if (keyring === undefined) throw refuseKeyring(path, 'is not split any more');
    const key = keys.get(nameOfSet(keyring.setId));
    if (key === undefined) throw refuseKeyring(path, 'was split anew: only its new shares open it');
    return { keyring, key };
  };
  return {
    path,
    read: async () => {
      const { keyring, key } = await current();
      try {
        const { buffer, byteOffset, length } = openSplitKeyring(keyring, key);
        return Buffer.from(buffer, byteOffset, length);
      } catch (cause) {
        if (!(cause instanceof CofferError)) throw cause;
        throw refuseKeyring(path, 'does not open: it was altered');
      }
    },
    replace: async (content) => {
      const { keyring, key } = await current();
      await replaceFile(path, fileOf(resealKeyring(keyring, key, content)));
    },
  };
}

/** `createKeyringFile` of a keyring that is split. */
export async function createSplitKeyringFile(
  path: string,
  masterKeyId: string,
  { split, installationId, handOver }: { split: Split; installationId: Uint8Array; handOver: HandOver },
): Promise<void> {
  if (existsSync(path)) throw refuseKeyring(path, 'exists already. A keyring is never overwritten');
  const content = newKeyring(path, masterKeyId, installationId);
  try {
    await writeSplit({ path, installationId }, split, content, async (file, giveShares) => {
      await createFile(path, file, async () => await giveShares(handOver));
    });
  } finally {
    wipe(content);
  }
}

/** Splits the keyring of a place anew: shares of before do not open its file any more. */
export async function splitAnew(
  place: KeyringPlace,
  installationId: Uint8Array,
  { split, handOver }: { split: Split; handOver: HandOver },
): Promise<void> {
  const before = await readPrivately(place.path);
  const content = await place.read();
  try {
    await writeSplit({ path: place.path, installationId }, split, content, async (file, giveShares) => {
      await replaceFile(place.path, file, async () => {
        await giveShares(handOver);
        await requireUnchanged(place.path, before);
      });
    });
  } finally {
    wipe(before, content);
  }
}

/** A master key that was added while people took their shares would be lost. */
async function requireUnchanged(path: string, before: Uint8Array): Promise<void> {
  const now = await readPrivately(path);
  const isSame = Buffer.compare(now, before) === 0;
  wipe(now);
  if (!isSame)
    throw refuseKeyring(path, 'was changed meanwhile, and is not split: these shares open nothing');
}

async function writeSplit(
  of: Pick<SplitKeyring, 'path' | 'installationId'>,
  split: Split,
  content: Uint8Array,
  write: (file: Uint8Array, giveShares: (handOver: HandOver) => Promise<void>) => Promise<void>,
): Promise<void> {
  const { keyring, shares } = splitKeyring(of, split, content);
  const written = shares.map((share) => formatShare(share));
  try {
    await write(fileOf(keyring), async (handOver) => await handOver(written));
  } finally {
    wipe(...written, ...shares.map(({ value }) => value));
  }
}

/** Never one that could not be read again. */
function fileOf(keyring: SplitKeyring): Buffer {
  const file = formatSplitKeyring(keyring);
  if (file.length < FILE_BYTES_MAX) return file;
  throw refuseKeyring(
    keyring.path,
    'has more lines than can be split: take out comments, or keys that are retired',
  );
}
