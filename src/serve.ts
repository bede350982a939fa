import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { ListenAddress } from './config/parsers.ts';
import { CofferError } from './errors.ts';
import { bootstrapAdministrator } from './bootstrap.ts';
import { type Installation, openInstallation } from './installation.ts';
import { openLogDestination } from './log-destination.ts';
import { createReload } from './rotation/reload-master-keys.ts';
import type { SealedServer } from './custody/sealed-server.ts';
import { createLog, type Server, startServer, waitSealed } from './server.ts';
import { listenForSignals, type Signals } from './signals.ts';

export interface ServeOptions {
  /** `npm start`: make what is missing in an empty folder. */
  createMissing: boolean;
  /** A line for the person who started the server. */
  say: (line: string) => void;
}

export const DRAIN_TIMEOUT_MS = 20_000;

/** Runs a server until it is told to stop. Resolves to the exit code. */
export async function serve(config: Config, options: ServeOptions): Promise<number> {
  const { say } = options;
  const started = performance.now();
  const destination = openLogDestination(1, say);
  const log = createLog(config, destination);
  const signals = listenForSignals();
  const parts: { installation?: Installation; server?: Server; sealed?: SealedServer } = {};
  try {
    const installation = await openInstallation(config, {
      purpose: 'server',
      createMissing: options.createMissing && config.databaseUrl === undefined,
      allowEmpty: false,
      say,
      log,
      signal: signals.ending,
      unseal: async (keyrings) => {
        const sealed = await waitSealed(config, keyrings, log);
        parts.sealed = sealed;
        say(describeSeal(sealed));
        return await Promise.race([sealed.unsealing.keys(), endOf(signals)]);
      },
    });
    parts.installation = installation;
    const isNew = installation.isNew;
    if (isNew) await makeInstallation(config, installation);
    const server = await startServer(config, installation, log, { sealed: parts.sealed });
    parts.server = server;
    if (config.noauth) say('WARNING: COFFER_NOAUTH=1. Every request is believed; use it for tests alone.');
    signals.onReload(createReload({ ...installation, log }));
    describe(config, server, installation, isNew, performance.now() - started, say);
    const code = await Promise.race([signals.ended, postgresGaveUp(installation)]);
    say(
      code === 0
        ? 'Stopping: requests in flight are ended first.'
        : 'The private PostgreSQL does not start again.',
    );
    return code;
  } catch (error) {
    // Told to end while it started: there was nothing to drain.
    if (error === signals.ending.reason) return 0;
    throw error;
  } finally {
    const deadline = setTimeout(() => {
      void destination.close().then(() => process.exit(1));
    }, DRAIN_TIMEOUT_MS).unref();
    await (parts.server === undefined ? parts.sealed?.close() : parts.server.drain());
    await parts.installation?.close();
    clearTimeout(deadline);
    await destination.close();
  }
}

/** Throws when the process is told to end. */
async function endOf({ ended, ending }: Signals): Promise<never> {
  await ended;
  throw ending.reason;
}

function describeSeal({ address, unsealing }: SealedServer): string {
  const { threshold } = unsealing.status();
  return (
    `Coffer is sealed: ${address} answers 503 until ${threshold} shares of the keyring are given.\n` +
    '  each of their holders runs: coffer unseal'
  );
}

async function makeInstallation(config: Config, installation: Installation): Promise<void> {
  await bootstrapAdministrator(config, installation);
  await installation.settle();
}

async function postgresGaveUp({ postgres }: Installation): Promise<number> {
  if (postgres === undefined) return await new Promise<never>(() => {});
  await postgres.exited;
  return 1;
}

function describe(
  config: Config,
  server: Server,
  installation: Installation,
  isNew: boolean,
  milliseconds: number,
  say: (line: string) => void,
): void {
  say(`Coffer serves ${config.publicUrl} (ready in ${(milliseconds / 1000).toFixed(1)} s)`);
  if (server.address !== config.publicUrl) say(`  listening   ${server.address}`);
  if (installation.postgres !== undefined)
    say(`  data        ${config.dataDir} (a private PostgreSQL, no TCP port)`);
  say(`  keyring     ${config.stores.map(describeStore).join(', ')}`);
  if (isNew) say('  Whoever loses the keyring loses every secret: keep a copy, away from the data.');
  const openrc = join(config.dataDir, 'admin-openrc');
  if (!existsSync(openrc)) return;
  say('A first secret:');
  say(`  . ${openrc}`);
  say('  echo -n "correct horse" | npx coffer secret store greeting');
  say('  npx coffer secret get greeting');
}

function describeStore(store: Config['stores'][number]): string {
  return store.kind === 'software' ? store.file : `a PKCS#11 token (${store.name})`;
}

/** For the command line: a port in use, an address that is not here. */
export function describeListenFailure(
  error: unknown,
  { host, port }: ListenAddress,
  setting = 'COFFER_LISTEN',
): CofferError | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === 'EADDRINUSE') {
    return new CofferError('configuration', `${host}:${port} is in use: another server? Set ${setting}.`);
  }
  if (code === 'EADDRNOTAVAIL' || code === 'EACCES') {
    return new CofferError(
      'configuration',
      `${host}:${port} cannot be listened on (${code}). Set ${setting}.`,
    );
  }
  return undefined;
}
