import type { Server } from 'node:http';
import { registerSealedHealthRoutes } from '../health/routes.ts';
import { unauthorized } from '../http/auth.ts';
import { forwardRequests } from '../http/node-server.ts';
import { TurnedAway } from '../http/overload.ts';
import { createHttpServer, type HttpServerOptions } from '../http/server.ts';
import type { SplitKeyring } from '../keyring/split-keyring.ts';
import { registerUnsealRoutes } from './routes.ts';
import { Unsealing } from './unsealing.ts';

export interface SealedServerOptions {
  http: Omit<HttpServerOptions, 'authenticate'>;
  listen: { host: string; port: number };
  disableFile: string;
}

/** A server without its keys: it listens, takes shares, and refuses everything else. */
export interface SealedServer {
  /** Where it listens: `http://127.0.0.1:9311`. */
  address: string;
  unsealing: Unsealing;
  /** From now on another server, which does not listen itself, answers here. */
  handOver(to: Server): void;
  /** Stops listening, ends what is in flight, and forgets the shares. */
  close(): Promise<void>;
}

/** Seconds after which clients may ask again: people have to come together. */
const RETRY_AFTER_SECONDS = 30;

/** Listens before there is a key, on the port where the server will serve. */
export async function startSealedServer(
  keyrings: readonly SplitKeyring[],
  { http, listen, disableFile }: SealedServerOptions,
): Promise<SealedServer> {
  const unsealing = new Unsealing(keyrings, http.log);
  const app = createHttpServer({
    ...http,
    authenticate: async () => {
      throw unauthorized();
    },
    refuseUnrouted: () => refuseSealed(unsealing),
  });
  registerSealedHealthRoutes(app, disableFile);
  registerUnsealRoutes(app, unsealing);
  const close = async (): Promise<void> => {
    unsealing.close();
    await app.close();
  };
  try {
    const address = await app.listen(listen);
    return {
      address,
      unsealing,
      handOver: (to) => {
        forwardRequests(app.server, to);
        unsealing.announceServed();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function refuseSealed(unsealing: Unsealing): TurnedAway {
  const { threshold, given } = unsealing.status();
  return new TurnedAway(
    `The server is sealed: its keyring needs ${threshold} shares, and has ${given}. Whoever holds one gives it by: coffer unseal`,
    RETRY_AFTER_SECONDS,
  );
}
