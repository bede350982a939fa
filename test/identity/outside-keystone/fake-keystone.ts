import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The body of `GET /v3/auth/tokens`, as Keystone has it. */
export function tokenBody(change: object = {}, seconds = 3_600) {
  return {
    token: {
      methods: ['password'],
      user: {
        id: 'user-1',
        name: 'ada',
        domain: { id: 'default', name: 'Default' },
        password_expires_at: null,
      },
      audit_ids: ['audit-1'],
      expires_at: new Date(Date.now() + seconds * 1000).toISOString().replace('Z', '000Z'),
      issued_at: new Date().toISOString(),
      project: { id: 'project-1', name: 'shop', domain: { id: 'default', name: 'Default' } },
      is_domain: false,
      roles: [{ id: 'role-1', name: 'creator' }],
      ...change,
    },
  };
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A Keystone that the test runs: it gives its service user a token, and says what is wanted of others. */
export interface FakeKeystone {
  url: string;
  /** By token. */
  tokens: Map<string, object>;
  password: string;
  /** The service user's tokens that it takes. */
  own: Set<string>;
  logins: number;
  validations: number;
  /** Answers validations instead. */
  answer: Answer | undefined;
  /** Ends all connections and takes no new ones; `start` takes them again. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startFakeKeystone(password: string): Promise<FakeKeystone> {
  let port = 0;
  const server = createServer((request, response) => void handle(request, response));
  const send = (
    response: ServerResponse,
    status: number,
    body: object,
    headers: Record<string, string> = {},
  ) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method === 'POST') {
      keystone.logins += 1;
      const { auth } = JSON.parse(Buffer.concat(chunks).toString());
      const { user } = auth.identity.password;
      const isRight = user.name === 'coffer' && user.password === keystone.password;
      if (!isRight || auth.scope.project.name !== 'service') {
        send(response, 401, { error: { code: 401 } });
        return;
      }
      const token = `own-${keystone.logins}`;
      keystone.own.add(token);
      send(response, 201, tokenBody(), { 'x-subject-token': token });
      return;
    }
    keystone.validations += 1;
    if (keystone.answer !== undefined) {
      keystone.answer(request, response);
      return;
    }
    const body = keystone.tokens.get(String(request.headers['x-subject-token']));
    const isOurs = keystone.own.has(String(request.headers['x-auth-token']));
    if (!isOurs) send(response, 401, { error: { code: 401 } });
    else if (body === undefined) send(response, 404, { error: { code: 404 } });
    else send(response, 200, body);
  };
  const keystone: FakeKeystone = {
    url: '',
    tokens: new Map(),
    password,
    own: new Set(),
    logins: 0,
    validations: 0,
    answer: undefined,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    start: async () => {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      ({ port } = server.address() as AddressInfo);
    },
  };
  await keystone.start();
  keystone.url = `http://127.0.0.1:${port}`;
  return keystone;
}
