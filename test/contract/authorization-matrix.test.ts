import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuleSetName } from '../../src/policy/can.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import {
  type Caller,
  CALLERS,
  EXCEPTIONS,
  makeTokens,
  statusFor,
  type Tokens,
} from './authorization-matrix-callers.ts';
import { LINES } from './authorization-matrix-lines.ts';
import { rawClient } from './raw-http.ts';

// Every route of the server × who asks × the status, under both sets of rules where they decide.

let servers: Record<RuleSetName, StartedCoffer>;
let tokens: Tokens;
let folder: string;
const ids = new Map<string, string>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'coffer-matrix-'));
  const stock = await startCoffer({ env: { COFFER_STORES: `main=software:${join(folder, 'keys')}` } });
  servers = { stock, secure: await startCoffer({ beside: stock, env: { COFFER_POLICY: 'secure' } }) };
  tokens = await makeTokens(stock);
  const { userId, projectId } = tokens.maker;
  for (const [name, id] of [
    ['userId', userId],
    ['projectId', projectId],
    ['key', 'none'],
    ...['transportKeyId', 'consumerId'].map((one) => [one, randomUUID()] as const),
  ] as const) {
    ids.set(name, id);
  }
  for (const kind of ['secret', 'container', 'order'] as const) await make(kind);
  const { secret_stores: stores } = (await tokens.maker.client.get('/v1/secret-stores')).json;
  ids.set('storeId', String(stores[0].secret_store_ref).slice(-36));
  for (const caller of CALLERS.filter(({ title }) => title.startsWith('admin'))) await prefer(caller);
});

afterAll(async () => {
  await servers.secure.stop();
  await servers.stock.stop();
  rmSync(folder, { recursive: true });
});

const BODIES = {
  secret: { payload: 'of the owners', payload_content_type: 'text/plain' },
  container: { type: 'generic' },
  order: { type: 'key', meta: { algorithm: 'aes', bit_length: 256 } },
};

/** The maker's, there for all who ask. */
async function make(kind: keyof typeof BODIES): Promise<void> {
  const made = await tokens.maker.client.post(`/v1/${kind}s`, BODIES[kind]);
  ids.set(`${kind}Id`, String(made.json[`${kind}_ref`]).slice(-36));
}

/** Whole users and projects are not deleted, and grants are of things that are not there. */
const ON_NOTHING = /^DELETE \/identity\/v3\/(users|projects)\/\{\w+\}$|\/users\/\{userId\}\/roles/;

const PREFERRED = '/v1/secret-stores/{storeId}/preferred';

/** What was taken away is there again for the next. */
async function restore(route: string, caller: Caller): Promise<void> {
  const kind = /^DELETE \/v1\/\w+\/\{(secret|container|order)Id\}$/.exec(route)?.[1];
  if (kind !== undefined) await make(kind as keyof typeof BODIES);
  if (route === `DELETE ${PREFERRED}`) await prefer(caller);
}

/** An administrator of the caller's project has it prefer the store. */
async function prefer({ standing }: Caller): Promise<void> {
  const title = standing === 'E' ? 'admin elsewhere' : 'admin';
  const token = CALLERS.filter((one) => one.title === title).map((one) => tokens.of(one, 'POST'))[0];
  const reply = await rawClient(servers.stock.url, token).post(addressOf(`POST ${PREFERRED}`));
  expect(reply.status, reply.text).toBe(204);
}

function addressOf(route: string): string {
  const [, path = ''] = route.split(' ');
  if (ON_NOTHING.test(route)) return path;
  return path.replace(/\{(\w+)\}/g, (text, name: string) => ids.get(name) ?? text);
}

/** Each caller has an address of its own: what is public counts attempts by it. */
async function ask(
  rules: RuleSetName,
  route: string,
  [index, caller]: readonly [number, Caller],
): Promise<number> {
  const [method = ''] = route.split(' ');
  const token = tokens.of(caller, method);
  const asked = { headers: { accept: undefined }, localAddress: `127.0.1.${index + 1}` };
  const { status } = await rawClient(servers[rules].url, token).send(method, addressOf(route), asked);
  if (status === 204) await restore(route, caller);
  return status;
}

const routes = Object.keys(LINES);

describe.each([
  ['stock', routes],
  ['secure', routes.filter((route) => / \/v1(\/|$)/.test(route))],
] as const)('under the %s rules', (rules, asked) => {
  it.each(asked)('%s answers each caller as the rules have it', async (route) => {
    const answered: Record<string, number> = {};
    for (const [index, caller] of CALLERS.entries()) {
      answered[caller.title] = await ask(rules, route, [index, caller]);
    }
    const expected = CALLERS.map((caller) => [caller.title, statusFor(route, caller, rules)]);
    expect(answered).toEqual(Object.fromEntries(expected));
  });
});

it('has a line for every route that the server serves, and public ones are those without security', async () => {
  const { paths } = (await servers.stock.stranger.get('/openapi.json')).json as {
    paths: Record<string, Record<string, { security: unknown[] }>>;
  };
  const served = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => {
      const route = `${method.toUpperCase()} ${path.length > 1 ? path.replace(/\/$/, '') : path}`;
      return [route, security.length === 0] as const;
    }),
  );
  const lines = routes.map((route) => [route, LINES[route]?.[0] === 'public']);
  expect(Object.fromEntries(served)).toEqual(Object.fromEntries(lines));
});

it.each(EXCEPTIONS)('has cells for the exception that $reason', (exception) => {
  const { routes: pattern, callers, status } = exception;
  const asked = routes.filter((route) => pattern.test(route));
  const told = asked.flatMap((route) => CALLERS.filter(callers).map((one) => statusFor(route, one, 'stock')));
  expect(told).toContain(status);
});
