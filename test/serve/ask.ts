import { execFileSync } from 'node:child_process';

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json: ReturnType<typeof JSON.parse>;
}

/** More than the twelve seconds after which a silent database is given up. */
const PATIENCE_MS = 30_000;

/** A request that ends: with an answer, a broken connection, or as too slow. */
export async function ask(url: string, init: RequestInit & { token?: string } = {}): Promise<Answer> {
  const { token, ...rest } = init;
  const headers = { ...(rest.headers as Record<string, string>), ...(token && { 'x-auth-token': token }) };
  const response = await fetch(url, { ...rest, headers, signal: AbortSignal.timeout(PATIENCE_MS) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parse(text) };
}

/** Whether anybody takes connections there. */
export async function isServing({ url }: { url: string }): Promise<boolean> {
  return await ask(`${url}/health/live`).then(
    () => true,
    () => false,
  );
}

export function asJson(body: unknown): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a shell has after `. admin-openrc`. */
export function readOpenrc(path: string): { authUrl: string; name: string; password: string } {
  const script = '. "$0" && printf "%s\\n" "$OS_AUTH_URL" "$OS_USERNAME" "$OS_PASSWORD"';
  const [authUrl = '', name = '', password = ''] = execFileSync('sh', ['-c', script, path], {
    encoding: 'utf8',
  })
    .trim()
    .split('\n');
  return { authUrl, name, password };
}

/** A token of the administrator, by what `admin-openrc` says. */
export async function logInByOpenrc(path: string): Promise<string> {
  const { authUrl, name, password } = readOpenrc(path);
  return await logIn(authUrl, name, password, 'admin');
}

export async function logIn(
  authUrl: string,
  name: string,
  password: string,
  project: string,
): Promise<string> {
  const domain = { name: 'Default' };
  const identity = { methods: ['password'], password: { user: { name, password, domain } } };
  const scope = { project: { name: project, domain } };
  const answer = await ask(`${authUrl}/auth/tokens`, asJson({ auth: { identity, scope } }));
  const token = answer.headers.get('x-subject-token');
  if (answer.status !== 201 || token === null) throw new Error(`log-in: ${answer.status} ${answer.text}`);
  return token;
}

export async function storeText(url: string, token: string, payload: string): Promise<Answer> {
  return await ask(`${url}/v1/secrets`, {
    ...asJson({ payload, payload_content_type: 'text/plain' }),
    token,
  });
}

/** By the reference, at the server that listens here. */
export async function readPayload(url: string, token: string, reference: string): Promise<Answer> {
  const headers = { accept: 'text/plain' };
  return await ask(`${url}${new URL(reference).pathname}/payload`, { token, headers });
}
