import { randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { MIGRATIONS } from '../../migrations/index.ts';
import type { Db } from '../../src/db/open.ts';
import { Keyring } from '../../src/keyring/keyring.ts';
import { createKeyringFile, keyringFileAt, readKeyringFile } from '../../src/keyring/keyring-file.ts';
import { createSoftwareBackend } from '../../src/keyring/software-backend.ts';
import { createStores } from '../../src/keyring/stores.ts';
import type { RotationParts } from '../../src/rotation/rewrap.ts';

/** A server's keys over a keyring file that it shares with others, or has a copy of. */
export interface Node {
  keyring: Keyring;
  parts: RotationParts;
  /** What it counted as damaged. */
  damaged: string[];
}

export interface KeyringFolder {
  file: string;
  /** The file as it is now, beside it: what a server has that nobody told of a change. */
  copy(): Promise<string>;
  open(db: Db, file?: string): Promise<Node>;
  remove(): Promise<void>;
}

/** A folder with a keyring whose only key is `mk-0`. */
export async function makeKeyringFolder(): Promise<KeyringFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'coffer-mk-'));
  const file = join(folder, 'keys');
  await createKeyringFile(file, 'mk-0');
  return {
    file,
    copy: async () => {
      const copy = join(folder, `copy-${randomBytes(4).toString('hex')}`);
      await copyFile(file, copy);
      return copy;
    },
    open: async (db, own = file) => {
      const keys = await readKeyringFile(own);
      const backend = createSoftwareBackend('software', keys, { place: keyringFileAt(own) });
      const keyring = new Keyring({
        db,
        stores: createStores([backend]),
        installationId: keys.installationId,
        now: () => performance.now(),
        date: () => new Date(),
        finishedMigration: MIGRATIONS.at(-1)?.number ?? 0,
      });
      const damaged: string[] = [];
      const parts = {
        db,
        keyring,
        clock: { now: () => new Date() },
        log: pino({ level: 'silent' }),
        integrityViolations: { count: (where: string) => damaged.push(where) },
      };
      return { keyring, parts, damaged };
    },
    remove: async () => await rm(folder, { recursive: true }),
  };
}

/** The master key of each KEK. */
export async function masterKeysOf(db: Db): Promise<Record<string, string>> {
  const { rows } = await db.query<{ place: string; id: string }>({
    text: `SELECT project_id || '/' || epoch AS place, master_key_id AS id FROM keks ORDER BY 1`,
  });
  return Object.fromEntries(rows.map(({ place, id }) => [place, id]));
}

export const unwatched = { signal: new AbortController().signal, onProgress: () => {} };
