import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKeyringFile, readInstallationId } from '../../src/keyring/keyring-file.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

interface LogLine {
  level: number;
  msg: string;
}

export interface TwoStores {
  whole: StartedCoffer;
  /** The same installation with the first store alone, or with another master key in the second. */
  half: StartedCoffer;
  /** Whose keys are in the second store. */
  there: Person;
  here: Person;
  /** What `half` said as a warning or worse. */
  warnings: () => string[];
  stop: () => Promise<void>;
}

/** Two servers that run no jobs; the second does not have the second store, or not the key in it. */
export async function startTwoStores(lacks: 'store' | 'master key' = 'store'): Promise<TwoStores> {
  const folder = await mkdtemp(join(tmpdir(), 'coffer-stores-'));
  const main = `main=software:${join(folder, 'main')}`;
  const both = `${main},second=software:${join(folder, 'second')}`;
  const whole = await startCoffer({ env: { COFFER_STORES: both, COFFER_WORKER: 'off' } });
  const lines: LogLine[] = [];
  const other = join(folder, 'other');
  await createKeyringFile(other, 'mk-other', await readInstallationId(join(folder, 'main')));
  const half = await startCoffer({
    beside: whole,
    env: { COFFER_STORES: lacks === 'store' ? main : `${main},second=software:${other}` },
    log: { write: (line) => void lines.push(JSON.parse(line)) },
  });
  const [there, here] = [await whole.person(['creator'], 'there'), await whole.person(['creator'], 'here')];
  const { keyring } = whole.installation;
  await keyring.preferStore(await keyring.ensureProject(there.projectId), 'second');
  return {
    whole,
    half,
    there,
    here,
    warnings: () => lines.filter(({ level }) => level >= 40).map(({ msg }) => msg),
    stop: async () => {
      await half.stop();
      await whole.stop();
      await rm(folder, { recursive: true });
    },
  };
}
