import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface PrivateFile {
  /** Puts the text in place in one step, and on the disk. */
  write(text: string): Promise<void>;
  discard(): Promise<void>;
}

/**
 * A file that only its owner may read at any moment. It is made beside its place, so that a place which
 * cannot be written is known before there is anything to write.
 */
export async function preparePrivateFile(path: string): Promise<PrivateFile> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  return {
    write: async (text) => {
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      const folder = await open(dirname(path), 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    },
    discard: async () => {
      await file.close();
      await rm(temporary, { force: true });
    },
  };
}
