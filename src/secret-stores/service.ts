import type { Coffer } from '../coffer.ts';
import { CofferError, StoreAway } from '../errors.ts';
import { storeId } from '../keyring/stores.ts';
import { operate, requireProject } from '../operation.ts';
import type { Caller } from '../policy/actor.ts';

export interface SecretStore {
  id: string;
  name: string;
  /** As COFFER_STORES says it: `software`. */
  kind: string;
  isDefault: boolean;
  /** The same for all: that of the installation. */
  created: Date;
}

export async function listStores(coffer: Coffer, caller: Caller): Promise<SecretStore[]> {
  return await operate(coffer, caller, {
    action: 'secretstores:get',
    name: 'List available secret stores',
    run: async () => await readStores(coffer),
  });
}

export async function getDefaultStore(coffer: Coffer, caller: Caller): Promise<SecretStore> {
  return await operate(coffer, caller, {
    action: 'secretstores:get_global_default',
    name: 'Retrieve global default secret store',
    run: async () => (await readStores(coffer)).find(({ isDefault }) => isDefault) ?? storeNotFound(),
  });
}

/** @throws CofferError `not_found` where the project prefers none; StoreAway where it is not configured. */
export async function getPreferredStore(coffer: Coffer, caller: Caller): Promise<SecretStore> {
  return await operate(coffer, caller, {
    action: 'secretstores:get_preferred',
    name: 'Retrieve project preferred store',
    run: async () => {
      const stores = await readStores(coffer);
      const projectId = requireProject(caller);
      // What another server has just set is shown too.
      coffer.keyring.forgetProject(projectId);
      const project = await coffer.keyring.findProject(projectId);
      const preferred = project?.preferred_store ?? noPreference();
      const store = stores.find(({ name }) => name === preferred);
      if (store === undefined) throw new StoreAway();
      return store;
    },
  });
}

export async function getStore(coffer: Coffer, caller: Caller, id: string): Promise<SecretStore> {
  return await operate(coffer, caller, {
    action: 'secretstore:get',
    name: 'Secret store retrieval',
    load: async () => await readStore(coffer, id),
    run: async (store) => store,
  });
}

/** From now on, what is written in the caller's project goes to this store. */
export async function preferStore(coffer: Coffer, caller: Caller, id: string): Promise<void> {
  await operate(coffer, caller, {
    action: 'secretstore_preferred:post',
    name: 'Setting preferred secret store',
    load: async () => await readStore(coffer, id),
    run: async ({ name }) => {
      const projectId = requireProject(caller);
      coffer.keyring.forgetProject(projectId);
      const project = await coffer.keyring.ensureProject(projectId);
      await coffer.keyring.preferStore(project, name);
    },
  });
}

/**
 * From now on, what is written in the caller's project goes to the default store, whichever it preferred.
 *
 * @throws CofferError `not_found` where it prefers none.
 */
export async function removePreference(coffer: Coffer, caller: Caller, id: string): Promise<void> {
  await operate(coffer, caller, {
    action: 'secretstore_preferred:delete',
    name: 'Removing preferred secret store',
    load: async () => await readStore(coffer, id),
    run: async () => {
      const projectId = requireProject(caller);
      coffer.keyring.forgetProject(projectId);
      const project = await coffer.keyring.findProject(projectId);
      if (project === undefined || project.preferred_store === null) return noPreference();
      return await coffer.keyring.preferStore(project, null);
    },
  });
}

async function readStore(coffer: Coffer, id: string): Promise<SecretStore> {
  return (await readStores(coffer)).find((store) => store.id === id) ?? storeNotFound();
}

/** @throws CofferError `not_found` where the configuration names no stores. */
async function readStores({ storeKinds, keyring }: Coffer): Promise<SecretStore[]> {
  if (storeKinds === null) {
    const reason = 'Multiple backends support is not enabled in service configuration.';
    throw new CofferError('not_found', `Not Found. ${reason}`);
  }
  const created = await keyring.installedAt();
  return keyring.stores.names.map((name, index) => ({
    id: storeId(keyring.installationId, name),
    name,
    kind: storeKinds.get(name) ?? '',
    isDefault: index === 0,
    created,
  }));
}

function storeNotFound(): never {
  throw new CofferError('not_found', 'Not Found. Secret store not found.');
}

function noPreference(): never {
  throw new CofferError('not_found', 'Not Found. No preferred secret store defined for this project.');
}
