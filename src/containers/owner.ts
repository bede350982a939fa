import type { AclOwner } from '../acl/service.ts';
import { containerConsumers } from '../consumers/record.ts';
import type { ConsumerOwner } from '../consumers/service.ts';
import type { ContainerRow } from '../db/schema.ts';
import { updateRow } from '../db/sealed.ts';
import { onContainer, viewContainer } from './service.ts';
import { formatContainer } from './wire.ts';

// Containers, for the slices whose routes hang under them.

export const containerAcls: AclOwner<ContainerRow> = {
  collection: 'containers',
  parameter: 'containerId',
  actions: { get: 'container_acls:get', change: 'container_acls:put_patch', remove: 'container_acls:delete' },
  name: 'ContainerACL(s)',
  on: onContainer,
  // No list of containers asks for ACLs, so that there is no index of their users.
  write: async ({ db, keyring }, container, columns) => {
    await updateRow(db, keyring, 'containers', container, columns);
  },
};

export const consumersOfContainers: ConsumerOwner<ContainerRow> = {
  kind: containerConsumers,
  collection: 'containers',
  parameter: 'containerId',
  actions: {
    get: 'container_consumers:get',
    add: 'container_consumers:post',
    remove: 'container_consumers:delete',
  },
  names: { one: 'ContainerConsumer', many: 'ContainerConsumers(s)' },
  on: onContainer,
  describe: async (coffer, caller, row) =>
    formatContainer(await viewContainer(coffer, caller, row), coffer.publicUrl),
};
