import type { AclOwner } from '../acl/service.ts';
import type { SecretRow } from '../db/schema.ts';
import { updateRow } from '../db/sealed.ts';
import { onSecret } from './service.ts';

/** Secrets, for the slices whose routes hang under them. */
export const secretAcls: AclOwner<SecretRow> = {
  collection: 'secrets',
  parameter: 'secretId',
  actions: { get: 'secret_acls:get', change: 'secret_acls:put_patch', remove: 'secret_acls:delete' },
  name: 'SecretACL(s)',
  on: onSecret,
  write: async ({ db, keyring }, secret, columns, users) => {
    await updateRow(db, keyring, 'secrets', secret, columns, { acl_users: users });
  },
};
