import { Agent, type IncomingHttpHeaders, request } from 'node:http';

interface Asked {
  headers?: Record<string, string | undefined>;
  /** Text and bytes go as they are; anything else goes as JSON with its Content-Type. */
  body?: unknown;
  /** The microversion. */
  version?: string;
  /** The address of this machine that the request comes from. */
  localAddress?: string;
}

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  text: string;
  /** Undefined when the text is no JSON. */
  json: ReturnType<typeof JSON.parse>;
}

export interface Client {
  get(path: string, asked?: Asked): Promise<Reply>;
  post(path: string, body?: unknown, asked?: Asked): Promise<Reply>;
  put(path: string, body?: unknown, asked?: Asked): Promise<Reply>;
  delete(path: string, asked?: Asked): Promise<Reply>;
  send(method: string, path: string, asked?: Asked): Promise<Reply>;
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 });

/**
 * Requests with exactly the headers given: no Accept, no Content-Type of a library's own. A path may be a
 * reference: it is asked for at the address where the server listens.
 */
export function rawClient(base: string, token: string | undefined): Client {
  const send = async (method: string, path: string, asked: Asked = {}): Promise<Reply> => {
    const url = /^https?:/.test(path) ? `${base}${new URL(path).pathname}` : `${base}${path}`;
    const { body, headers } = encode(asked);
    if (token !== undefined) headers['x-auth-token'] ??= token;
    return await exchange(method, url, { headers, localAddress: asked.localAddress }, body);
  };
  return {
    send,
    get: (path, asked) => send('GET', path, asked),
    post: (path, body, asked) => send('POST', path, { ...asked, body }),
    put: (path, body, asked) => send('PUT', path, { ...asked, body }),
    delete: (path, asked) => send('DELETE', path, asked),
  };
}

function encode(asked: Asked): { body: Uint8Array | undefined; headers: Record<string, string> } {
  const headers: Record<string, string> = {};
  if (asked.version !== undefined) headers['openstack-api-version'] = `key-manager ${asked.version}`;
  const { body } = asked;
  let bytes: Uint8Array | undefined;
  if (typeof body === 'string') bytes = Buffer.from(body);
  else if (body instanceof Uint8Array) bytes = body;
  else if (body !== undefined) {
    bytes = Buffer.from(JSON.stringify(body));
    headers['content-type'] = 'application/json';
  }
  for (const [name, value] of Object.entries(asked.headers ?? {})) {
    if (value === undefined) delete headers[name.toLowerCase()];
    else headers[name.toLowerCase()] = value;
  }
  if (bytes !== undefined) headers['content-length'] = String(bytes.length);
  return { body: bytes, headers };
}

async function exchange(
  method: string,
  url: string,
  from: { headers: Record<string, string>; localAddress: string | undefined },
  body: Uint8Array | undefined,
): Promise<Reply> {
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { method, ...from, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString();
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          bytes,
          text,
          json: parse(text),
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
