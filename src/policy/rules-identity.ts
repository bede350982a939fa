import type { Actor } from './actor.ts';

export type IdentityAction =
  | 'identity:list_domains'
  | 'identity:get_domain'
  | 'identity:create_domain'
  | 'identity:update_domain'
  | 'identity:delete_domain'
  | 'identity:list_projects'
  | 'identity:get_project'
  | 'identity:create_project'
  | 'identity:update_project'
  | 'identity:delete_project'
  | 'identity:list_users'
  | 'identity:get_user'
  | 'identity:create_user'
  | 'identity:update_user'
  | 'identity:delete_user'
  | 'identity:change_password'
  | 'identity:list_user_projects'
  | 'identity:list_groups_for_user'
  | 'identity:list_groups'
  | 'identity:get_group'
  | 'identity:list_roles'
  | 'identity:get_role'
  | 'identity:create_role'
  | 'identity:update_role'
  | 'identity:delete_role'
  | 'identity:list_implied_roles'
  | 'identity:check_implied_role'
  | 'identity:create_implied_role'
  | 'identity:delete_implied_role'
  | 'identity:list_role_inference_rules'
  | 'identity:check_grant'
  | 'identity:list_grants'
  | 'identity:create_grant'
  | 'identity:revoke_grant'
  | 'identity:check_system_grant_for_user'
  | 'identity:list_system_grants_for_user'
  | 'identity:create_system_grant_for_user'
  | 'identity:revoke_system_grant_for_user'
  | 'identity:list_role_assignments'
  | 'identity:list_services'
  | 'identity:get_service'
  | 'identity:list_endpoints'
  | 'identity:get_endpoint'
  | 'identity:list_regions'
  | 'identity:get_region'
  | 'identity:list_application_credentials'
  | 'identity:get_application_credential'
  | 'identity:create_application_credential'
  | 'identity:delete_application_credential'
  | 'identity:list_access_rules'
  | 'identity:get_access_rule'
  | 'identity:delete_access_rule';

/** What is asked for, from verified rows; what is not there is not named. */
export interface IdentityTarget {
  /** The domain of user, project and grant: all of them in the one. */
  domainId?: string;
  userId?: string;
  projectId?: string;
  /** The role that is granted, revoked or looked at. */
  roleName?: string;
  /** Every role that the user has anywhere. */
  heldRoles?: readonly string[];
}

type Standing = (actor: Actor, target: IdentityTarget) => boolean;

/** What a domain's manager may hand out; of a user who has any other role, a manager changes nothing. */
const MANAGED_ROLES: readonly string[] = ['manager', 'member', 'reader'];

const admin: Standing = ({ roles }) => roles.includes('admin');
const systemReader: Standing = ({ roles, scope }) => scope === 'system' && roles.includes('reader');
const inDomain = ({ scopeDomainId }: Actor, { domainId }: IdentityTarget): boolean =>
  scopeDomainId !== null && scopeDomainId !== '' && scopeDomainId === domainId;
const domainReader: Standing = (actor, target) => actor.roles.includes('reader') && inDomain(actor, target);
const domainManager: Standing = (actor, target) => actor.roles.includes('manager') && inDomain(actor, target);
const managerOfUser: Standing = (actor, target) =>
  domainManager(actor, target) && target.heldRoles?.every((role) => MANAGED_ROLES.includes(role)) === true;
const managerOfRole: Standing = (actor, target) =>
  domainManager(actor, target) && MANAGED_ROLES.includes(target.roleName ?? '');
const themselves: Standing = ({ userId }, target) => userId !== '' && userId === target.userId;
const ownProject: Standing = ({ projectId, roles }, target) =>
  projectId !== null && projectId !== '' && projectId === target.projectId && roles.length > 0;
const systemUser: Standing = ({ scope }) => scope === 'system';
const domainUser: Standing = (actor, target) => inDomain(actor, target);
const everyone: Standing = () => true;

const readers = [admin, systemReader, domainReader];
const systemReaders = [admin, systemReader];
const managers = [admin, domainManager];
const admins = [admin];
const roleReaders = [admin, systemReader, domainManager];

/**
 * Keystone's defaults, where `admin` in any scope administers all of identity, narrower in one place: a
 * domain's manager cannot change who has more than a manager may give, which would be a way to become it.
 */
const rules: Readonly<Record<IdentityAction, readonly Standing[]>> = {
  'identity:list_domains': readers,
  'identity:get_domain': [admin, systemUser, domainUser, ({ projectId }) => projectId !== null],
  'identity:create_domain': admins,
  'identity:update_domain': admins,
  'identity:delete_domain': admins,
  'identity:list_projects': readers,
  'identity:get_project': [...readers, ownProject],
  'identity:create_project': managers,
  'identity:update_project': managers,
  'identity:delete_project': managers,
  'identity:list_users': readers,
  'identity:get_user': [...readers, themselves],
  'identity:create_user': managers,
  'identity:update_user': [admin, managerOfUser],
  'identity:delete_user': [admin, managerOfUser],
  'identity:change_password': [admin, themselves],
  'identity:list_user_projects': [...readers, themselves],
  'identity:list_groups_for_user': [...readers, themselves],
  'identity:list_groups': readers,
  'identity:get_group': readers,
  'identity:list_roles': roleReaders,
  'identity:get_role': roleReaders,
  'identity:create_role': admins,
  'identity:update_role': admins,
  'identity:delete_role': admins,
  'identity:list_implied_roles': systemReaders,
  'identity:check_implied_role': systemReaders,
  'identity:create_implied_role': admins,
  'identity:delete_implied_role': admins,
  'identity:list_role_inference_rules': systemReaders,
  'identity:check_grant': readers,
  'identity:list_grants': readers,
  'identity:create_grant': [admin, managerOfRole],
  'identity:revoke_grant': [admin, managerOfRole],
  'identity:check_system_grant_for_user': systemReaders,
  'identity:list_system_grants_for_user': systemReaders,
  'identity:create_system_grant_for_user': admins,
  'identity:revoke_system_grant_for_user': admins,
  'identity:list_role_assignments': readers,
  'identity:list_services': systemReaders,
  'identity:get_service': systemReaders,
  'identity:list_endpoints': systemReaders,
  'identity:get_endpoint': systemReaders,
  'identity:list_regions': [everyone],
  'identity:get_region': [everyone],
  'identity:list_application_credentials': [...systemReaders, themselves],
  'identity:get_application_credential': [...systemReaders, themselves],
  'identity:create_application_credential': [themselves],
  'identity:delete_application_credential': [admin, themselves],
  'identity:list_access_rules': [...systemReaders, themselves],
  'identity:get_access_rule': [...systemReaders, themselves],
  'identity:delete_access_rule': [admin, themselves],
};

const ruleTable: ReadonlyMap<string, readonly Standing[]> = new Map(Object.entries(rules));

/** Whether the actor may do the action to the target. Pure; what is unknown or missing gives false. */
export function canManage(action: IdentityAction, actor: Actor, target: IdentityTarget = {}): boolean {
  return ruleTable.get(action)?.some((standing) => standing(actor, target)) === true;
}
