import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuleSetName } from '../../src/policy/can.ts';
import { type KeyManager, startKeyManager } from './key-manager.ts';
import { KEY } from './orders-stage.ts';
import type { Client, Reply } from './raw-http.ts';

const REFUSED = ' attempt not allowed - please review your user/project privileges';
const NOT_FOUND = '404 Order not found.';

/** Who may, as the contract's tables have it: the right to submit, to list, to see one and to delete one. */
const TABLES: Readonly<Record<RuleSetName, Readonly<Record<string, string>>>> = {
  stock: {
    admin: 'y y y y',
    creator: 'y y y -',
    observer: '- y y -',
    audit: '- - y -',
    'key-manager:service-admin': '- - y -',
    member: '- - - -',
    reader: '- - - -',
    Admin: '- - - -',
  },
  secure: {
    admin: '- - - -',
    member: 'y y y y',
    reader: '- - - -',
    creator: '- - - -',
    observer: '- - - -',
    audit: '- - - -',
    'key-manager:service-admin': '- - - -',
  },
};

const shown = ({ status, json }: Reply): string =>
  status >= 400 ? `${status} ${String(json.description)}` : String(status);

describe.each(['stock', 'secure'] as const)('the %s rules', (rules) => {
  let keyManager: KeyManager;
  let strangers: string;
  const storing = rules === 'stock' ? 'creator' : 'member';
  const submit = async (client: Client): Promise<string> =>
    String((await client.post('/v1/orders', { type: 'key', meta: KEY })).json.order_ref);

  beforeAll(async () => {
    keyManager = await startKeyManager(rules);
    strangers = await submit(keyManager.as(storing, { user: 'stranger', project: 'project-2' }));
  });
  afterAll(async () => await keyManager.stop());

  describe.each(Object.entries(TABLES[rules]))('for the role %s', (role, cells) => {
    const [post, list, get, remove] = cells.split(' ');
    const decide = (cell: string | undefined, done: string, operation: string): string =>
      cell === 'y' ? done : `403 ${operation}${REFUSED}`;

    it('decide who submits, lists and tries to change orders', async () => {
      const client = keyManager.as(role, { user: 'caller' });
      const submitted = await client.post('/v1/orders', { type: 'key', meta: KEY });
      expect(shown(submitted)).toBe(decide(post, '202', 'Order creation'));
      expect(shown(await client.get('/v1/orders'))).toBe(decide(list, '200', 'Order(s) retrieval'));
      const update = '405 Order update is not supported.';
      expect(shown(await client.put('/v1/orders', {}))).toBe(decide(post, update, 'Order update'));
    });

    it('decide who sees and deletes an order: its own or a colleague’s alike, a stranger’s never', async () => {
      const client = keyManager.as(role, { user: 'caller' });
      for (const user of ['caller', 'colleague']) {
        const order = await submit(keyManager.as(storing, { user }));
        expect(shown(await client.get(order))).toBe(decide(get, '200', 'Order retrieval'));
        expect(shown(await client.delete(order))).toBe(decide(remove, '204', 'Order deletion'));
        const left = await keyManager.as(storing, { user }).get(order);
        expect(left.status).toBe(remove === 'y' ? 404 : 200);
      }
      expect(shown(await client.get(strangers))).toBe(NOT_FOUND);
      expect(shown(await client.delete(strangers))).toBe(NOT_FOUND);
      expect((await client.get('/v1/orders')).text).not.toContain(strangers);
    });
  });

  it('put the right before the body', async () => {
    const client = keyManager.as('nobody');
    const headers = { 'content-type': 'text/plain' };
    expect((await client.post('/v1/orders', '{', { headers })).status).toBe(403);
  });

  it('say nothing to those without a token', async () => {
    const nobody = keyManager.stranger();
    for (const path of ['/v1/orders', strangers, '/v1/orders/nonsense']) {
      expect((await nobody.get(path)).status).toBe(401);
    }
    expect((await nobody.post('/v1/orders', {})).status).toBe(401);
    expect((await nobody.delete(strangers)).status).toBe(401);
  });
});
