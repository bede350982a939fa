import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action } from '../../src/policy/actions.ts';
import { type Actor, expandRoles } from '../../src/policy/actor.ts';
import { can, type RuleSetName } from '../../src/policy/can.ts';
import type { Target } from '../../src/policy/target.ts';
import { rounds } from '../harness/rounds.ts';
import { sheets } from './contract-table.ts';

const actions = sheets[0]?.rows.map(([action]) => action) ?? [];
const aclActions = new Set<Action>(
  sheets[0]?.rows
    .filter((row) => row.slice(1).every((cell) => cell.endsWith('FG')))
    .map(([action]) => action),
);
const knownRoles = [
  'admin',
  'manager',
  'member',
  'reader',
  'creator',
  'observer',
  'audit',
  'key-manager:service-admin',
];

// Few values, so that ids often meet; the empty one among them.
const id = fc.constantFrom('', 'a', 'b', 'c');
const role = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...knownRoles) },
  { weight: 1, arbitrary: fc.string() },
);
const roles = fc.array(role, { maxLength: 4 });
const rules = fc.constantFrom<RuleSetName>('stock', 'secure');
const action = fc.constantFrom(...actions);
const actor: fc.Arbitrary<Actor> = fc.record({
  userId: id,
  scope: fc.constantFrom('project', 'domain', 'system', 'unscoped'),
  projectId: fc.option(id),
  scopeDomainId: fc.option(id),
  roles,
  domainId: fc.option(id),
  auditId: fc.constant('jti'),
  applicationCredentialId: fc.constant(null),
  accessRules: fc.constant(null),
});
const target: fc.Arbitrary<Target> = fc.record({
  projectId: id,
  creatorId: fc.option(id),
  readUsers: fc.array(id, { maxLength: 3 }),
  projectAccess: fc.boolean(),
});

const numRuns = rounds(2_000);

describe('either rule set, whoever asks for whatever', () => {
  it('never takes a right away when a role is added', () => {
    fc.assert(
      fc.property(
        rules,
        action,
        actor,
        fc.option(target, { nil: undefined }),
        role,
        (set, what, who, thing, more) => {
          fc.pre(can(set, what, who, thing));
          expect(can(set, what, { ...who, roles: [...who.roles, more] }, thing)).toBe(true);
        },
      ),
      { numRuns },
    );
  });

  it('never takes a right away when roles are expanded', () => {
    fc.assert(
      fc.property(rules, action, actor, target, (set, what, who, thing) => {
        fc.pre(can(set, what, who, thing));
        expect(can(set, what, { ...who, roles: expandRoles(who.roles) }, thing)).toBe(true);
      }),
      { numRuns },
    );
  });

  it('gives a user without a role only what a read ACL lists the user for', () => {
    fc.assert(
      fc.property(rules, action, actor, target, (set, what, who, thing) => {
        const listed = who.userId !== '' && thing.readUsers.includes(who.userId);
        const expected = listed && Boolean(who.projectId) && aclActions.has(what);
        expect(can(set, what, { ...who, roles: [] }, thing)).toBe(expected);
      }),
      { numRuns },
    );
  });

  it('never widens a right when a thing becomes private', () => {
    fc.assert(
      fc.property(rules, action, actor, target, (set, what, who, thing) => {
        fc.pre(can(set, what, who, { ...thing, projectAccess: false }));
        expect(can(set, what, who, { ...thing, projectAccess: true })).toBe(true);
      }),
      { numRuns },
    );
  });

  it('opens a private payload to its creator, its ACL and the own administrator alone', () => {
    fc.assert(
      fc.property(rules, actor, target, (set, who, thing) => {
        fc.pre(can(set, 'secret:decrypt', who, { ...thing, projectAccess: false }));
        const creator =
          who.userId !== '' && thing.creatorId === who.userId && thing.projectId === who.projectId;
        const listed = who.userId !== '' && thing.readUsers.includes(who.userId);
        const administrator = who.roles.includes('admin') && thing.projectId === who.projectId;
        expect(creator || listed || administrator).toBe(true);
      }),
      { numRuns },
    );
  });

  it('never opens a payload of another project to someone who is not on its ACL', () => {
    fc.assert(
      fc.property(rules, actor, target, (set, who, thing) => {
        fc.pre(thing.projectId !== who.projectId && !thing.readUsers.includes(who.userId));
        expect(can(set, 'secret:decrypt', who, thing)).toBe(false);
      }),
      { numRuns },
    );
  });

  it('never gives more when a user leaves the ACL', () => {
    fc.assert(
      fc.property(rules, action, actor, target, (set, what, who, thing) => {
        fc.pre(can(set, what, who, { ...thing, readUsers: [] }));
        expect(can(set, what, who, thing)).toBe(true);
      }),
      { numRuns },
    );
  });

  it('answers the same however often and in whatever order roles come', () => {
    fc.assert(
      fc.property(rules, action, actor, target, (set, what, who, thing) => {
        const other = { ...who, roles: [...who.roles.toReversed(), ...who.roles] };
        expect(can(set, what, other, thing)).toBe(can(set, what, who, thing));
      }),
      { numRuns },
    );
  });
});
