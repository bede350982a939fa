import { expect } from 'vitest';
import type { Person } from '../harness/start-coffer.ts';
import type { Reply } from './raw-http.ts';

const V3 = '/identity/v3';
const PASSWORD = 'long enough a word';

export const names = (list: { name: string }[]): string[] => list.map(({ name }) => name);

/** Requests under `/identity/v3` by somebody who may be known only when they are made. */
export function manageAs(who: () => Person) {
  const patch = async (path: string, body: unknown): Promise<Reply> =>
    await who().client.send('PATCH', `${V3}${path}`, { body });
  const post = async (path: string, body: unknown): Promise<Reply> =>
    await who().client.post(`${V3}${path}`, body);
  const get = async (path: string): Promise<Reply> => await who().client.get(`${V3}${path}`);
  const remove = async (path: string): Promise<Reply> => await who().client.delete(`${V3}${path}`);

  async function makeUser(name: string, more: object = {}): Promise<Record<string, string>> {
    const reply = await post('/users', { user: { name, password: PASSWORD, ...more } });
    expect(reply.status).toBe(201);
    return reply.json.user as Record<string, string>;
  }

  return { patch, post, get, remove, makeUser };
}
