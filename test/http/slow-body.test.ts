import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { unauthorized } from '../../src/http/auth.ts';
import { slowBodyMilliseconds } from '../../src/http/limits.ts';
import type { Actor } from '../../src/policy/actor.ts';
import { sendSlowly } from '../contract/slow-body.ts';
import { authenticate, type Running, startEdge } from './edge-server.ts';

let edge: Running;
let asked: number;
/** What became of the actor since it was first asked for. */
let change: (actor: Actor) => Actor;

beforeAll(async () => {
  edge = await startEdge({
    authenticate: async (token) => {
      asked += 1;
      const known = await authenticate(token);
      const actor = { ...known, roles: [...known.roles, 'audit'] };
      return asked === 1 ? actor : change(actor);
    },
  });
});
afterAll(() => edge.app.close());
beforeEach(() => {
  asked = 0;
  change = (actor) => actor;
});

async function send(milliseconds: number, path = '/v1/secrets'): Promise<number> {
  const request = { method: 'POST', path, headers: { 'x-auth-token': 'good' }, body: { name: 'x' } };
  return await sendSlowly(edge.url, request, async () => await sleep(milliseconds));
}

const slowly = async (): Promise<number> => await send(slowBodyMilliseconds + 100);

it('asks again who it is when the body took more than a second, and goes on with the same', async () => {
  expect([await slowly(), asked]).toEqual([201, 2]);
});

it('asks once for a body that came at once', async () => {
  expect([await send(0), asked]).toEqual([201, 1]);
});

it('asks nobody on a public route, however slow', async () => {
  expect([await send(slowBodyMilliseconds + 100, '/identity/v3/auth/tokens'), asked]).toEqual([200, 0]);
});

it.each<[string, (actor: Actor) => Partial<Actor>]>([
  ['has a role less', () => ({ roles: [] })],
  ['has another role', ({ roles }) => ({ roles: [...roles, 'admin'] })],
  ['is in another project', () => ({ projectId: 'p2' })],
  ['got access rules', () => ({ accessRules: [{ service: 'key-manager', method: 'POST', path: '/**' }] })],
])('refuses with 403 who %s when the body has come', async (_what, changes) => {
  change = (actor) => ({ ...actor, ...changes(actor) });
  expect(await slowly()).toBe(403);
});

it('refuses with 401 whose token ended before the body had come', async () => {
  change = () => {
    throw unauthorized();
  };
  expect(await slowly()).toBe(401);
});

it('goes on with who has the same roles in another order', async () => {
  change = (actor) => ({ ...actor, roles: actor.roles.toReversed() });
  expect(await slowly()).toBe(201);
});
