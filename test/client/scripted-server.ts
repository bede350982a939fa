import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Coffer, type CofferOptions } from '../../src/client/index.ts';

/** A request as it arrived. */
export interface Seen {
  method: string;
  path: string;
  token: string | undefined;
  body: string;
}

/** How a test answers one request; `seen` holds it too, `count` is how many came to this path before. */
export type Script = (seen: Seen, reply: Reply, count: number) => void | Promise<void>;

export interface Reply {
  json(status: number, body: unknown, headers?: Record<string, string>): void;
  /** A token answer; `lifeSeconds` may be less than a second. */
  token(token: string, lifeSeconds: number): void;
  raw: ServerResponse;
  /** Ends the connection without an answer. */
  cut(): void;
}

export interface ScriptedServer {
  url: string;
  seen: Seen[];
  /** The requests but the logins. */
  calls(): Seen[];
  logins(): Seen[];
  close(): Promise<void>;
}

const tokenPath = '/identity/v3/auth/tokens';

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * A real HTTP server that misbehaves on command. Without a script for logins, each login gets its own hour's
 * token.
 */
export async function startScriptedServer(script: Script, login?: Script): Promise<ScriptedServer> {
  const seen: Seen[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '';
    const one: Seen = {
      method: request.method ?? '',
      path,
      token: request.headers['x-auth-token'] as string | undefined,
      body: await bodyOf(request),
    };
    const count = seen.filter((other) => other.path === path).length;
    seen.push(one);
    const reply: Reply = {
      raw: response,
      json: (status, body, headers = {}) => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(JSON.stringify(body));
      },
      token: (token, lifeSeconds) => {
        const issued = Date.now();
        const times = {
          issued_at: new Date(issued).toISOString(),
          expires_at: new Date(issued + lifeSeconds * 1000).toISOString(),
        };
        const place = { interface: 'public', region: 'RegionOne', region_id: 'RegionOne', url: `${url}/` };
        const catalog = [{ type: 'key-manager', endpoints: [place] }];
        const project = { id: 'p1', name: 'demo' };
        reply.json(
          201,
          { token: { ...times, user: { name: 'ann' }, project, catalog } },
          { 'x-subject-token': token },
        );
      },
      cut: () => request.socket.destroy(),
    };
    if (path === tokenPath && login === undefined) reply.token(`token-${count + 1}`, 3600);
    else await (path === tokenPath ? login! : script)(one, reply, count);
  };
  const server = createServer((request, response) => void respond(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    seen,
    calls: () => seen.filter((one) => one.path !== tokenPath),
    logins: () => seen.filter((one) => one.path === tokenPath),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const PASSWORD = 'canary-password-1f9a';

/** A client that logs in by password, and tries again soon. */
export function clientOf(url: string, options: CofferOptions = {}): Coffer {
  const credentials = {
    type: 'password',
    userName: 'ann',
    password: PASSWORD,
    projectName: 'demo',
  } as const;
  return new Coffer({ url, credentials, retryDelayMs: 5, ...options });
}

/** Starts servers, and closes all of them after a test. */
export function scriptedServers() {
  const open: ScriptedServer[] = [];
  return {
    start: async (script: Script, login?: Script): Promise<ScriptedServer> => {
      const server = await startScriptedServer(script, login);
      open.push(server);
      return server;
    },
    closeAll: async (): Promise<void> => {
      await Promise.all(open.splice(0).map(async (server) => await server.close()));
    },
  };
}
