import { setTimeout as sleep } from 'node:timers/promises';
import { CofferError } from '../errors.ts';
import { prepareBinaries } from './embedded-binaries.ts';
import { makeCluster, writeSettings } from './embedded-cluster.ts';
import { claim, isAlive, type Owner, type Purpose, readOwner } from './embedded-lock.ts';
import {
  findSocketFolder,
  makeSocketFolder,
  type Places,
  preparePlaces,
  removeSocketFolder,
} from './embedded-places.ts';
import { type Connection, connectionTo, probe, startPostmaster, sweep } from './embedded-postmaster.ts';
import { pidNamespace, readPostmasterPid } from './embedded-process.ts';
import { supervise } from './embedded-supervisor.ts';

export interface PrivatePostgres {
  url: string;
  connection: Connection;
  /** That of now: it changes when PostgreSQL had to be started again. */
  readonly pid: number;
  /** Whether a PostgreSQL was found running that an earlier server had left when it was killed. */
  takenOver: boolean;
  /** Whether it belongs to another process, and `stop` therefore leaves it alone. */
  joined: boolean;
  dataDirectory: string;
  stop: () => Promise<void>;
  /**
   * Resolves when PostgreSQL is gone for good: null after `stop`, a number when it could not be started
   * again.
   */
  exited: Promise<number | null>;
}

export interface PrivatePostgresOptions {
  dataDirectory: string;
  log: (line: string) => void;
  /** Settings of PostgreSQL besides ours. */
  settings?: Record<string, string>;
  /** Gives the start up, in order: it throws the reason. */
  signal?: AbortSignal | undefined;
}

const COMMAND_PATIENCE_MS = 30_000;
const POLL_MS = 50;

/**
 * Starts the PostgreSQL of this data directory, which one process at a time may own.
 * @throws CofferError `configuration`, naming the process, when another server owns it.
 */
export async function startPrivatePostgres(options: PrivatePostgresOptions): Promise<PrivatePostgres> {
  return await obtain(options, 'server');
}

/**
 * For a command beside a server: joins the PostgreSQL of the server that runs, or starts it for this command
 * alone.
 */
export async function joinOrStart(options: PrivatePostgresOptions): Promise<PrivatePostgres> {
  return await obtain(options, 'command');
}

async function obtain(options: PrivatePostgresOptions, purpose: Purpose): Promise<PrivatePostgres> {
  const places = preparePlaces(options.dataDirectory, options.log);
  await refuseOtherContainer(places, options.dataDirectory);
  const deadline = performance.now() + COMMAND_PATIENCE_MS;
  for (;;) {
    options.signal?.throwIfAborted();
    const claimed = claim(places.lock, purpose);
    if (claimed.held) return await own(options, places, claimed.release);
    const { owner } = claimed;
    if (owner.purpose === 'server') {
      if (purpose === 'server') throw alreadyRuns(owner, options.dataDirectory);
      const joined = await join(options, places, owner);
      if (joined !== undefined) return joined;
    }
    if (performance.now() > deadline) throw alreadyRuns(owner, options.dataDirectory);
    // A command has the data for a moment, or a server is on its way up or down.
    await sleep(POLL_MS);
  }
}

function alreadyRuns(owner: Owner, dataDirectory: string): CofferError {
  const who = owner.purpose === 'server' ? 'A Coffer server already runs' : 'A Coffer command is at work';
  return new CofferError('configuration', `${who} on ${dataDirectory}: pid ${owner.pid}`);
}

/** Pids of another container say nothing here, but its socket does, where the folder is shared. */
async function refuseOtherContainer(places: Places, dataDirectory: string): Promise<void> {
  const owner = readOwner(places.lock);
  if (owner === undefined || owner.namespace === pidNamespace()) return;
  if ((await probe(connectionTo(findSocketFolder(places.home)))) === undefined) {
    throw new CofferError(
      'configuration',
      `A Coffer server of another container already runs on ${dataDirectory}`,
    );
  }
}

async function own(
  options: PrivatePostgresOptions,
  places: Places,
  release: () => void,
): Promise<PrivatePostgres> {
  try {
    const binaries = prepareBinaries(places.home, places.account, options.log);
    const made = await makeCluster(places, binaries);
    const takenOver = made === 'found' && (await sweep(places.cluster, options.log));
    const socketFolder = makeSocketFolder(places);
    const start = async (stopped: AbortSignal) => {
      writeSettings(places, socketFolder, options.settings ?? {});
      return await startPostmaster(places, binaries, socketFolder, { stopped, log: options.log });
    };
    const first = await start(options.signal ?? new AbortController().signal);
    const again = async (stopped: AbortSignal) => {
      await sweep(places.cluster, options.log);
      return await start(stopped);
    };
    const supervised = supervise(first, again, places.log, options.log);
    const exited = supervised.exited.finally(() => {
      removeSocketFolder(places);
      release();
    });
    return {
      ...describe(options, socketFolder),
      get pid() {
        return supervised.pid;
      },
      takenOver,
      joined: false,
      exited,
      stop: async () => {
        await supervised.stop();
        await exited;
      },
    };
  } catch (error) {
    removeSocketFolder(places);
    release();
    throw error;
  }
}

async function join(
  options: PrivatePostgresOptions,
  places: Places,
  owner: Owner,
): Promise<PrivatePostgres | undefined> {
  const socketFolder = findSocketFolder(places.home);
  if (!isAlive(owner) || (await probe(connectionTo(socketFolder))) !== undefined) return undefined;
  return {
    ...describe(options, socketFolder),
    pid: readPostmasterPid(places.cluster) ?? 0,
    takenOver: false,
    joined: true,
    // Its owner knows when it ends; here a query fails.
    exited: new Promise(() => {}),
    stop: async () => {},
  };
}

function describe(
  { dataDirectory }: PrivatePostgresOptions,
  socketFolder: string,
): Pick<PrivatePostgres, 'url' | 'connection' | 'dataDirectory'> {
  const connection = connectionTo(socketFolder);
  const parameters = new URLSearchParams({
    host: socketFolder,
    user: connection.user,
    port: String(connection.port),
  });
  return { url: `postgresql:///${connection.database}?${parameters.toString()}`, connection, dataDirectory };
}
