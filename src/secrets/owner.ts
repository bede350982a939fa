import type { AclOwner } from '../acl/service.ts';
import { secretConsumers } from '../consumers/record.ts';
import { type ConsumerOwner, findConsumers } from '../consumers/service.ts';
import type { SecretRow } from '../db/schema.ts';
import { updateRow } from '../db/sealed.ts';
import { onSecret } from './service.ts';
import { formatSecret } from './wire.ts';

// Secrets, for the slices whose routes hang under them.

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

export const consumersOfSecrets: ConsumerOwner<SecretRow> = {
  kind: secretConsumers,
  collection: 'secrets',
  parameter: 'secretId',
  actions: {
    get: 'secret_consumers:get',
    add: 'secret_consumers:post',
    remove: 'secret_consumers:delete',
  },
  names: { one: 'SecretConsumer', many: 'SecretConsumers(s)' },
  on: onSecret,
  describe: async (coffer, caller, secret) => {
    const consumers = (await findConsumers(coffer, caller, secretConsumers, [secret])).get(secret.id) ?? [];
    return formatSecret(secret, { publicUrl: coffer.publicUrl, consumers });
  },
};
