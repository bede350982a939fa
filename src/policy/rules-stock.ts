import {
  anyOf,
  anywhere,
  guarded,
  inProject,
  ownOnly,
  ownOrNotPrivate,
  type RuleTable,
  readable,
  unlessPrivate,
} from './rule.ts';

const serviceAdmin = 'key-manager:service-admin';

const everyRole = anyOf('admin', 'creator', 'observer', 'audit', serviceAdmin);
const writers = anyOf('admin', 'creator');
const listers = anyOf('admin', 'creator', 'observer');
const admins = anyOf('admin');
const serviceAdmins = anyOf(serviceAdmin);

const read = readable({
  admin: inProject,
  creator: ownOrNotPrivate,
  observer: unlessPrivate,
  audit: unlessPrivate,
  [serviceAdmin]: unlessPrivate,
});
const decrypt = readable({ admin: inProject, creator: ownOrNotPrivate, observer: unlessPrivate });
const change = guarded({ admin: inProject, creator: ownOrNotPrivate });
const readAcl = guarded({ admin: inProject, creator: inProject, observer: inProject });
const changeAcl = guarded({ admin: inProject, creator: inProject });

/** What an untouched Barbican enforces: its five legacy roles; `member` and `reader` have no right at all. */
export const stockRules: RuleTable = {
  'secrets:post': writers,
  'secrets:get': listers,
  'secret:get': read,
  'secret:decrypt': decrypt,
  // Wider than deletion: a creator may complete a colleague's private secret.
  'secret:put': guarded({ admin: inProject, creator: inProject }),
  'secret:delete': change,
  'secret_meta:get': read,
  'secret_meta:post': change,
  'secret_meta:put': change,
  'secret_meta:delete': change,
  'secret_acls:get': readAcl,
  'secret_acls:put_patch': changeAcl,
  'secret_acls:delete': changeAcl,
  'secret_consumers:get': read,
  'secret_consumers:post': read,
  'secret_consumers:delete': read,

  'containers:post': writers,
  'containers:get': listers,
  'container:get': read,
  'container:delete': guarded({ admin: inProject, creator: ownOnly }),
  'container_secret:post': change,
  'container_secret:delete': change,
  'container_acls:get': readAcl,
  'container_acls:put_patch': changeAcl,
  'container_acls:delete': changeAcl,
  'container_consumers:get': read,
  'container_consumers:post': read,
  'container_consumers:delete': read,
  'consumer:get': readable({
    admin: anywhere,
    creator: anywhere,
    observer: anywhere,
    audit: anywhere,
    [serviceAdmin]: unlessPrivate,
  }),

  'orders:post': writers,
  'orders:put': writers,
  'orders:get': listers,
  'order:get': guarded({
    admin: inProject,
    creator: inProject,
    observer: inProject,
    audit: inProject,
    [serviceAdmin]: inProject,
  }),
  'order:delete': guarded({ admin: inProject }),

  'quotas:get': everyRole,
  'project_quotas:get': serviceAdmins,
  'project_quotas:put': serviceAdmins,
  'project_quotas:delete': serviceAdmins,
  'secretstores:get': everyRole,
  'secretstores:get_global_default': everyRole,
  'secretstores:get_preferred': everyRole,
  'secretstore:get': everyRole,
  'secretstore_preferred:post': admins,
  'secretstore_preferred:delete': admins,
  'transport_keys:get': everyRole,
  'transport_keys:post': serviceAdmins,
  'transport_key:get': everyRole,
  'transport_key:delete': serviceAdmins,
};
