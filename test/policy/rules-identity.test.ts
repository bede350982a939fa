import { describe, expect, it } from 'vitest';
import type { Actor } from '../../src/policy/actor.ts';
import { expandRoles } from '../../src/policy/actor.ts';
import { canManage, type IdentityAction, type IdentityTarget } from '../../src/policy/rules-identity.ts';
import { actorWith } from './cases.ts';

const DOMAIN = 'default';
const onSystem = (role: string): Actor =>
  actorWith(expandRoles([role]), { scope: 'system', projectId: null, userId: 'who' });
const onDomain = (role: string, scopeDomainId = DOMAIN): Actor =>
  actorWith(expandRoles([role]), { scope: 'domain', projectId: null, scopeDomainId, userId: 'who' });
const inProject = (role: string): Actor =>
  actorWith(expandRoles([role]), { scope: 'project', projectId: 'p', userId: 'who' });
const unscoped = actorWith([], { scope: 'unscoped', projectId: null, userId: 'who' });

const ACTORS = {
  'admin of a project': inProject('admin'),
  'admin of the domain': onDomain('admin'),
  'admin of the system': onSystem('admin'),
  'manager of the domain': onDomain('manager'),
  'manager of another domain': onDomain('manager', 'other'),
  'manager of a project': inProject('manager'),
  'member of the system': onSystem('member'),
  'reader of the system': onSystem('reader'),
  'reader of the domain': onDomain('reader'),
  'creator of a project': inProject('creator'),
  'service administrator': inProject('key-manager:service-admin'),
  'nobody in particular': unscoped,
};
type Who = keyof typeof ACTORS;

const ADMINS: Who[] = ['admin of a project', 'admin of the domain', 'admin of the system'];
const SYSTEM: Who[] = ['member of the system', 'reader of the system'];
const MANAGER: Who[] = ['manager of the domain'];
const READERS: Who[] = [...ADMINS, ...SYSTEM, ...MANAGER, 'reader of the domain'];

/** Typed again from Keystone's defaults, with someone else as the target. */
const EXPECTED: [IdentityAction, IdentityTarget, Who[]][] = [
  ['identity:list_projects', { domainId: DOMAIN }, READERS],
  ['identity:get_project', { domainId: DOMAIN, projectId: 'q' }, READERS],
  ['identity:create_project', { domainId: DOMAIN }, [...ADMINS, ...MANAGER]],
  ['identity:update_project', { domainId: DOMAIN, projectId: 'p' }, [...ADMINS, ...MANAGER]],
  ['identity:delete_project', { domainId: DOMAIN, projectId: 'p' }, [...ADMINS, ...MANAGER]],
  ['identity:list_users', { domainId: DOMAIN }, READERS],
  ['identity:get_user', { domainId: DOMAIN, userId: 'other' }, READERS],
  ['identity:create_user', { domainId: DOMAIN }, [...ADMINS, ...MANAGER]],
  ['identity:update_user', { domainId: DOMAIN, userId: 'u', heldRoles: ['member'] }, [...ADMINS, ...MANAGER]],
  ['identity:update_user', { domainId: DOMAIN, userId: 'u', heldRoles: ['member', 'admin'] }, ADMINS],
  ['identity:update_user', { domainId: DOMAIN, userId: 'u', heldRoles: ['creator'] }, ADMINS],
  ['identity:update_user', { domainId: DOMAIN, userId: 'who' }, ADMINS],
  ['identity:delete_user', { domainId: DOMAIN, userId: 'u', heldRoles: [] }, [...ADMINS, ...MANAGER]],
  ['identity:delete_user', { domainId: DOMAIN, userId: 'u', heldRoles: ['audit'] }, ADMINS],
  ['identity:change_password', { userId: 'other' }, ADMINS],
  ['identity:list_user_projects', { domainId: DOMAIN, userId: 'other' }, READERS],
  ['identity:list_roles', { domainId: DOMAIN }, [...ADMINS, ...SYSTEM, ...MANAGER]],
  ['identity:create_role', {}, ADMINS],
  ['identity:update_role', { domainId: DOMAIN, roleName: 'own' }, ADMINS],
  ['identity:delete_role', { domainId: DOMAIN, roleName: 'own' }, ADMINS],
  ['identity:list_role_inference_rules', {}, [...ADMINS, ...SYSTEM]],
  ['identity:create_implied_role', {}, ADMINS],
  ['identity:list_grants', { domainId: DOMAIN }, READERS],
  ['identity:check_grant', { domainId: DOMAIN, roleName: 'admin' }, READERS],
  ['identity:create_grant', { domainId: DOMAIN, roleName: 'member' }, [...ADMINS, ...MANAGER]],
  ['identity:create_grant', { domainId: DOMAIN, roleName: 'manager' }, [...ADMINS, ...MANAGER]],
  ['identity:create_grant', { domainId: DOMAIN, roleName: 'admin' }, ADMINS],
  ['identity:create_grant', { domainId: DOMAIN, roleName: 'creator' }, ADMINS],
  ['identity:create_grant', { domainId: DOMAIN }, ADMINS],
  ['identity:create_grant', { roleName: 'member' }, ADMINS],
  ['identity:revoke_grant', { domainId: DOMAIN, roleName: 'reader' }, [...ADMINS, ...MANAGER]],
  ['identity:revoke_grant', { domainId: DOMAIN, roleName: 'admin' }, ADMINS],
  ['identity:list_system_grants_for_user', {}, [...ADMINS, ...SYSTEM]],
  ['identity:create_system_grant_for_user', { domainId: DOMAIN, roleName: 'reader' }, ADMINS],
  ['identity:revoke_system_grant_for_user', { domainId: DOMAIN, roleName: 'reader' }, ADMINS],
  ['identity:list_role_assignments', { domainId: DOMAIN }, READERS],
  ['identity:list_domains', { domainId: DOMAIN }, READERS],
  ['identity:create_domain', {}, ADMINS],
  ['identity:list_services', {}, [...ADMINS, ...SYSTEM]],
  ['identity:list_endpoints', {}, [...ADMINS, ...SYSTEM]],
  ['identity:list_regions', {}, Object.keys(ACTORS) as Who[]],
];

describe.each(EXPECTED)('%s of %j', (action, target, who) => {
  it.each(Object.entries(ACTORS))('is decided for the %s', (name, actor) => {
    expect(canManage(action, actor, target)).toBe(who.includes(name as Who));
  });
});

it('lets users see themselves, change their own password, and see the project of their token', () => {
  expect(canManage('identity:get_user', unscoped, { userId: 'who' })).toBe(true);
  expect(canManage('identity:list_user_projects', unscoped, { userId: 'who' })).toBe(true);
  expect(canManage('identity:change_password', unscoped, { userId: 'who' })).toBe(true);
  expect(canManage('identity:get_project', inProject('creator'), { projectId: 'p' })).toBe(true);
  expect(canManage('identity:get_project', inProject('creator'), { projectId: 'q' })).toBe(false);
});

it('takes nothing that is empty or unknown for a right', () => {
  const nobody = actorWith([], { userId: '', projectId: '', scopeDomainId: '' });
  for (const [action] of EXPECTED) {
    if (action === 'identity:list_regions') continue;
    expect(canManage(action, nobody, { userId: '', projectId: '', domainId: '' })).toBe(false);
    expect(canManage(action, onDomain('manager', ''), { domainId: '', roleName: '' })).toBe(false);
  }
  expect(canManage('constructor' as IdentityAction, onSystem('admin'))).toBe(false);
});
