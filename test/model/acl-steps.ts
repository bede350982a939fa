import { expect } from 'vitest';
import type { Action } from '../../src/policy/actions.ts';
import type { Acl, Container, Secret } from './model.ts';
import { isAllowed, type Step, type World } from './world.ts';

type Perform = (world: World, step: Step) => Promise<void>;
type Owner = Secret | Container;
type Kind = 'secret' | 'container';

function ownerOf(world: World, kind: Kind, step: Step): Owner | undefined {
  return kind === 'secret' ? world.secret(step.at) : world.container(step.at);
}

/** Two users, or none: one of them may be nobody that there is. */
function usersOf(world: World, { other, count }: Step): string[] {
  return count === 0 ? [] : [...new Set([world.user(other), world.user(other + count)])];
}

const shown = (acl: Acl | null): unknown =>
  acl === null
    ? { 'project-access': true }
    : { 'project-access': acl.projectAccess, users: [...acl.users].sort() };

function stepsOn(kind: Kind): Record<string, Perform> {
  const path = (owner: Owner): string => `/v1/${kind}s/${owner.id}/acl`;
  const action = (verb: 'get' | 'put_patch' | 'delete') => `${kind}_acls:${verb}` as Action;
  return {
    [`put the ACL of a ${kind}`]: async (world, step) => {
      const [who, owner] = [world.who(step), ownerOf(world, kind, step)];
      if (owner === undefined) return;
      const acl = { projectAccess: step.flag, users: usersOf(world, step) };
      const body = { read: { 'project-access': acl.projectAccess, users: acl.users } };
      const reply = await who.client.put(path(owner), body);
      if (!isAllowed(reply, action('put_patch'), who, owner)) return;
      expect(reply.status).toBe(200);
      owner.acl = acl;
    },
    [`patch the ACL of a ${kind}`]: async (world, step) => {
      const [who, owner] = [world.who(step), ownerOf(world, kind, step)];
      if (owner === undefined) return;
      const users = usersOf(world, step);
      const body = { read: step.flag ? { users } : { 'project-access': step.count % 2 === 0 } };
      const reply = await who.client.send('PATCH', path(owner), { body });
      if (!isAllowed(reply, action('put_patch'), who, owner)) return;
      expect(reply.status).toBe(200);
      const old = owner.acl ?? { projectAccess: true, users: [] };
      owner.acl = step.flag ? { ...old, users } : { ...old, projectAccess: step.count % 2 === 0 };
    },
    [`get the ACL of a ${kind}`]: async (world, step) => {
      const [who, owner] = [world.who(step), ownerOf(world, kind, step)];
      if (owner === undefined) return;
      const reply = await who.client.get(path(owner));
      if (!isAllowed(reply, action('get'), who, owner)) return;
      const { created: _created, updated: _updated, ...read } = reply.json.read;
      read.users?.sort();
      expect([reply.status, read]).toEqual([200, shown(owner.acl)]);
    },
    [`delete the ACL of a ${kind}`]: async (world, step) => {
      const [who, owner] = [world.who(step), ownerOf(world, kind, step)];
      if (owner === undefined) return;
      const reply = await who.client.delete(path(owner));
      if (!isAllowed(reply, action('delete'), who, owner)) return;
      expect([reply.status, reply.json]).toEqual([200, null]);
      owner.acl = null;
    },
  };
}

export const ACL_STEPS: Readonly<Record<string, Perform>> = {
  ...stepsOn('secret'),
  ...stepsOn('container'),
  'list the secrets on whose ACL they are': async (world, step) => {
    const who = world.who(step);
    const reply = await who.client.get('/v1/secrets?acl_only=true&limit=100');
    if (!isAllowed(reply, 'secrets:get', who)) return;
    const expected = world.model.secrets.filter(
      ({ acl, isDeleted }) => !isDeleted && acl?.users.includes(who.user) === true,
    );
    const found = reply.json.secrets.map((item: { secret_ref: string }) => item.secret_ref.slice(-36));
    expect([reply.json.total, found.sort()]).toEqual([expected.length, expected.map(({ id }) => id).sort()]);
  },
};
