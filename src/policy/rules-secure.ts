import {
  anyOf,
  anywhere,
  guarded,
  inProject,
  ownOnly,
  ownOrNotPrivate,
  type RuleTable,
  readable,
} from './rule.ts';

const members = anyOf('member');
const readers = anyOf('reader');
const admins = anyOf('admin');

const read = readable({ admin: inProject, member: ownOrNotPrivate });
const change = guarded({ admin: inProject, member: ownOrNotPrivate });
const acl = guarded({ admin: inProject, member: ownOnly });
const order = guarded({ member: inProject });

/**
 * Barbican's new defaults, for the roles admin, member and reader. `admin` alone lists and makes nothing: an
 * administrator's token holds `member` and `reader` too, because `admin` implies them.
 */
export const secureRules: RuleTable = {
  'secrets:post': members,
  'secrets:get': members,
  'secret:get': readable({ admin: anywhere, member: ownOrNotPrivate }),
  'secret:decrypt': read,
  'secret:put': change,
  'secret:delete': guarded({ admin: anywhere, member: ownOrNotPrivate }),
  'secret_meta:get': read,
  'secret_meta:post': change,
  'secret_meta:put': change,
  'secret_meta:delete': change,
  'secret_acls:get': acl,
  'secret_acls:put_patch': acl,
  'secret_acls:delete': acl,
  'secret_consumers:get': read,
  'secret_consumers:post': read,
  'secret_consumers:delete': read,

  'containers:post': members,
  'containers:get': members,
  'container:get': read,
  'container:delete': change,
  'container_secret:post': change,
  'container_secret:delete': change,
  'container_acls:get': acl,
  'container_acls:put_patch': acl,
  'container_acls:delete': acl,
  'container_consumers:get': read,
  'container_consumers:post': read,
  'container_consumers:delete': read,
  'consumer:get': readable({ admin: anywhere, member: ownOrNotPrivate }),

  'orders:post': members,
  'orders:put': members,
  'orders:get': members,
  'order:get': order,
  'order:delete': order,

  'quotas:get': readers,
  'project_quotas:get': admins,
  'project_quotas:put': admins,
  'project_quotas:delete': admins,
  'secretstores:get': readers,
  'secretstores:get_global_default': readers,
  'secretstores:get_preferred': readers,
  'secretstore:get': readers,
  'secretstore_preferred:post': admins,
  'secretstore_preferred:delete': admins,
  'transport_keys:get': readers,
  'transport_keys:post': admins,
  'transport_key:get': readers,
  'transport_key:delete': admins,
};
