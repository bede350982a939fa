import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server as PortServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DestinationStream, pino } from 'pino';
import { bootstrapAdministrator } from '../../src/bootstrap.ts';
import { loadConfig } from '../../src/config.ts';
import { createPasswordHasher } from '../../src/crypto/password.ts';
import { createProject, createUser, getProject, getRole } from '../../src/identity/administration.ts';
import { assignRole, untilCurrent } from '../../src/identity/assignments.ts';
import { type Installation, openInstallation } from '../../src/installation.ts';
import { createKeyringFile, readInstallationId } from '../../src/keyring/keyring-file.ts';
import { createLog, type Server, startServer } from '../../src/server.ts';
import { type Client, rawClient, type Reply } from '../contract/raw-http.ts';
import { createDatabase, type TestDatabase } from './database.ts';

export interface StartOptions {
  /** Settings beside those that the harness makes. */
  env?: Record<string, string>;
  /** Another server of the same installation. */
  beside?: StartedCoffer;
  /** Where the log goes; nowhere by default. */
  log?: DestinationStream;
}

export interface Person {
  userId: string;
  name: string;
  password: string;
  projectId: string;
  token: string;
  client: Client;
}

export interface StartedCoffer {
  url: string;
  /** The whole environment it was started with: for a process beside it. */
  env: Record<string, string>;
  server: Server;
  installation: Installation;
  database: TestDatabase;
  /** A user with exactly these roles in a project, logged in here by password. */
  person: (roles: readonly string[], project?: string) => Promise<Person>;
  /** The same person in another project, which is made, with these roles there. */
  elsewhere: (person: Person, roles: readonly string[], project: string) => Promise<Person>;
  /** Logs a user in here. */
  logIn: (name: string, password: string, project?: string) => Promise<string>;
  stranger: Client;
  stop: () => Promise<void>;
}

/**
 * A whole server over real HTTP: PostgreSQL, keyring file, identity, everything that `coffer serve` starts.
 */
export async function startCoffer(options: StartOptions = {}): Promise<StartedCoffer> {
  const { beside } = options;
  const folder = beside === undefined ? await mkdtemp(join(tmpdir(), 'coffer-test-')) : undefined;
  const database = beside?.database ?? (await createDatabase());
  const port = await findFreePort();
  const env = {
    ...(beside?.env ?? {
      COFFER_DATABASE_URL: database.url,
      COFFER_KEYRING_FILE: join(folder ?? '', 'keys'),
      COFFER_DATA_DIR: join(folder ?? '', 'data'),
    }),
    COFFER_LISTEN: `127.0.0.1:${port}`,
    ...options.env,
  };
  const { config } = loadConfig({ flags: {}, env, cwd: tmpdir() });
  if (beside === undefined) await makeInstallation(config);
  const installation = await openInstallation(config, { ...opening, allowEmpty: false });
  const log = createLog(config, options.log ?? pino.destination('/dev/null'));
  // Test and server share an event loop, which other work of a busy machine holds up.
  const server = await startServer(config, installation, log, { limits: { loopDelayMaxMilliseconds: 0 } });
  const url = server.address;
  const logIn = async (name: string, password: string, project?: string) =>
    await takeToken(rawClient(url, undefined), name, password, project);
  return {
    url,
    env,
    server,
    installation,
    database,
    logIn,
    stranger: rawClient(url, undefined),
    person: async (roles, project = 'demo') => {
      const made = await makePerson(installation, roles, project);
      const token = await logIn(made.name, made.password, project);
      return { ...made, token, client: rawClient(url, token) };
    },
    elsewhere: async (person, roles, project) => {
      const { id } = await giveRoles(installation, person.userId, roles, project);
      const token = await rescope(person.client, person.token, project);
      return { ...person, projectId: id, token, client: rawClient(url, token) };
    },
    stop: async () => {
      await server.drain();
      await installation.close();
      if (folder === undefined) return;
      await database.drop();
      await rm(folder, { recursive: true });
    },
  };
}

const opening = { purpose: 'command', createMissing: false, say: () => {} } as const;

/** What an operator does once, by `coffer keyring create`, `coffer migrate` and `coffer bootstrap`. */
async function makeInstallation(config: ReturnType<typeof loadConfig>['config']): Promise<void> {
  const { migrate } = await import('../../src/db/migrate.ts');
  const { openDatabase } = await import('../../src/db/open.ts');
  const hasKeys = config.stores.some(({ kind }) => kind === 'software');
  await createKeyringFile(config.installationFile, hasKeys ? 'mk-test' : null);
  const installationId = await readInstallationId(config.installationFile);
  for (const store of config.stores) {
    if (store.kind !== 'software' || store.file === config.installationFile) continue;
    await createKeyringFile(store.file, 'mk-test', installationId);
  }
  const db = openDatabase({ connection: config.databaseUrl ?? '' });
  await migrate(db);
  await db.close();
  const empty = await openInstallation(config, { ...opening, allowEmpty: true });
  await bootstrapAdministrator(config, empty);
  await empty.close();
}

async function makePerson(
  { db, keyring }: Installation,
  roles: readonly string[],
  projectName: string,
): Promise<Pick<Person, 'userId' | 'name' | 'password' | 'projectId'>> {
  const parts = { db, keyring, clock: { now: () => new Date() } };
  const [name, password] = [`user-${randomUUID()}`, randomBytes(12).toString('base64url')];
  const hasher = createPasswordHasher();
  return await untilCurrent(async () => {
    const project = await findOrCreateProject(parts, projectName);
    const scope = { kind: 'project', id: project.id } as const;
    const grants = await Promise.all(
      roles.map(async (role) => ({ scope, project, role: await getRole(parts, role) })),
    );
    const user = await createUser(parts, hasher, name, password, { grants });
    return { userId: user.id, name, password, projectId: project.id };
  });
}

async function giveRoles(
  { db, keyring }: Installation,
  id: string,
  roles: readonly string[],
  projectName: string,
): Promise<{ id: string }> {
  const parts = { db, keyring, clock: { now: () => new Date() } };
  const project = await findOrCreateProject(parts, projectName);
  for (const role of roles) await assignRole(parts, { id }, project, await getRole(parts, role));
  return project;
}

/** A token for another project, without a password: hashing one takes longer than all else. */
async function rescope(client: Client, token: string, project: string): Promise<string> {
  const scope = { project: { name: project, domain: { name: 'Default' } } };
  const auth = { identity: { methods: ['token'], token: { id: token } }, scope };
  return tokenOf(await client.post('/identity/v3/auth/tokens', { auth }));
}

/** Several people may be the first of a project at once. */
async function findOrCreateProject(parts: Parameters<typeof getProject>[0], name: string) {
  return await getProject(parts, name).catch(
    async () => await createProject(parts, name).catch(async () => await getProject(parts, name)),
  );
}

async function takeToken(
  client: Client,
  name: string,
  password: string,
  project: string | undefined,
): Promise<string> {
  const domain = { name: 'Default' };
  const identity = { methods: ['password'], password: { user: { name, password, domain } } };
  const scope = project === undefined ? {} : { scope: { project: { name: project, domain } } };
  return tokenOf(await client.post('/identity/v3/auth/tokens', { auth: { identity, ...scope } }));
}

function tokenOf({ status, headers, text }: Reply): string {
  const token = headers['x-subject-token'];
  if (status !== 201 || typeof token !== 'string') throw new Error(`log-in failed: ${text}`);
  return token;
}

/**
 * Below the ports that systems give by themselves, and those of test/serve. The same port of another address
 * is kept until the process ends: nobody else who starts a server here finds it free meanwhile.
 */
async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(11_000, 19_000);
    const kept = await listenAt('127.0.0.2', port);
    const tried = kept && (await listenAt('127.0.0.1', port));
    if (tried === undefined) {
      kept?.close();
      continue;
    }
    tried.close();
    await once(tried, 'close');
    return port;
  }
}

async function listenAt(host: string, port: number): Promise<PortServer | undefined> {
  const server = createServer().unref().listen(port, host);
  return await once(server, 'listening').then(
    () => server,
    ({ code }: NodeJS.ErrnoException) => {
      // Of 127.0.0.0/8 macOS has one address: there nothing is kept.
      if (code === 'EADDRNOTAVAIL') return server;
      return undefined;
    },
  );
}
