import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { registerAclRoutes } from '../../src/acl/routes.ts';
import type { Coffer } from '../../src/coffer.ts';
import { consumersOfContainers, containerAcls } from '../../src/containers/owner.ts';
import { registerContainerRoutes } from '../../src/containers/routes.ts';
import { registerConsumerRoutes } from '../../src/consumers/routes.ts';
import { finishMigrations, migrate } from '../../src/db/migrate.ts';
import { openDatabase } from '../../src/db/open.ts';
import { CofferError } from '../../src/errors.ts';
import { createHttpServer } from '../../src/http/server.ts';
import type { CryptoBackend } from '../../src/keyring/backend.ts';
import { Keyring } from '../../src/keyring/keyring.ts';
import { createSoftwareBackend } from '../../src/keyring/software-backend.ts';
import { createStores } from '../../src/keyring/stores.ts';
import { registerOrderRoutes } from '../../src/orders/routes.ts';
import type { Actor } from '../../src/policy/actor.ts';
import type { RuleSetName } from '../../src/policy/can.ts';
import { registerQuotaRoutes } from '../../src/quotas/routes.ts';
import { registerSecretStoreRoutes } from '../../src/secret-stores/routes.ts';
import { registerMetadataRoutes } from '../../src/secrets/metadata-routes.ts';
import { consumersOfSecrets, secretAcls } from '../../src/secrets/owner.ts';
import { registerSecretRoutes } from '../../src/secrets/routes.ts';
import { registerTransportKeyRoutes } from '../../src/transport-keys/routes.ts';
import { createDatabase } from '../harness/database.ts';
import { type Client, rawClient } from './raw-http.ts';

interface Who {
  user?: string;
  project?: string;
}

export interface KeyManager {
  /** The base of references, which is not where it listens. */
  publicUrl: string;
  coffer: Coffer;
  /** The clock of the server; the database keeps its own. */
  clock: { offsetMilliseconds: number };
  /** A client whose token has exactly these roles. */
  as(roles: string | readonly string[], who?: Who): Client;
  /** A client without a token. */
  stranger(): Client;
  stop(): Promise<void>;
}

/**
 * The key manager over real HTTP, PostgreSQL and keyring. Tokens are not the subject here, so that each one
 * just says whose it is.
 */
export async function startKeyManager(
  rules: RuleSetName = 'stock',
  storeNames?: readonly [string, ...string[]],
): Promise<KeyManager> {
  const database = await createDatabase();
  const db = openDatabase({ connection: database.url });
  await migrate(db);
  const installationId = randomBytes(16);
  const [first, ...others] = storeNames ?? ['software'];
  const backendOf = (store: string): CryptoBackend =>
    createSoftwareBackend(store, {
      installationId,
      activeId: 'mk-1',
      keys: new Map([['mk-1', randomBytes(32)]]),
    });
  const keyring = new Keyring({
    db,
    stores: createStores([backendOf(first), ...others.map(backendOf)]),
    installationId,
    now: Date.now,
    date: () => new Date(),
    finishedMigration: (await finishMigrations(db)).finished,
  });
  await db.transaction(async (tx) => await keyring.bootstrap(tx));
  const clock = { offsetMilliseconds: 0 };
  const log = pino({ level: 'silent' });
  const publicUrl = 'https://kms.example:9311';
  const coffer: Coffer = {
    db,
    keyring,
    log,
    rules,
    storeKinds: storeNames === undefined ? null : new Map(storeNames.map((name) => [name, 'software'])),
    publicUrl,
    formerUrls: ['http://old.example/key-manager'],
    clock: { now: () => new Date(Date.now() + clock.offsetMilliseconds) },
    limits: {
      payloadBytesMax: 20_000,
      bodyBytesMax: 25_000,
      pageDefault: 10,
      pageMax: 100,
      quotas: { secrets: -1, orders: -1, containers: -1, consumers: -1 },
    },
    containerChecks: { refuse: false, gate: async (work) => await work(), countMismatch: () => {} },
    integrityViolations: { count: () => {} },
    wake: () => {},
    region: 'RegionOne',
  };
  const app = createHttpServer({ publicUrl, log, authenticate: async (token) => readToken(token) });
  registerQuotaRoutes(app, coffer);
  registerSecretStoreRoutes(app, coffer);
  registerTransportKeyRoutes(app, coffer);
  registerSecretRoutes(app, coffer);
  registerMetadataRoutes(app, coffer);
  registerAclRoutes(app, coffer, secretAcls);
  registerContainerRoutes(app, coffer);
  registerAclRoutes(app, coffer, containerAcls);
  registerConsumerRoutes(app, coffer, consumersOfContainers);
  registerConsumerRoutes(app, coffer, consumersOfSecrets);
  registerOrderRoutes(app, coffer);
  const base = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    publicUrl,
    coffer,
    clock,
    as: (roles, who = {}) => rawClient(base, writeToken([roles].flat(), who)),
    stranger: () => rawClient(base, undefined),
    stop: async () => {
      await app.close();
      keyring.close();
      await db.close();
      await database.drop();
    },
  };
}

function writeToken(roles: readonly string[], { user = 'user-1', project = 'project-1' }: Who): string {
  const actor: Actor = {
    userId: user,
    scope: 'project',
    projectId: project,
    scopeDomainId: null,
    roles,
    domainId: null,
    auditId: 'test',
    applicationCredentialId: null,
    accessRules: null,
  };
  return Buffer.from(JSON.stringify(actor)).toString('base64url');
}

function readToken(token: string): Actor {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString()) as Actor;
  } catch {
    throw new CofferError('unauthorized', 'The request you have made requires authentication.');
  }
}
