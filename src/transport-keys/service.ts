import { randomUUID } from 'node:crypto';
import type { Coffer } from '../coffer.ts';
import type { TransportKeyRow } from '../db/schema.ts';
import { deleteRow, insertRow, openRow, sealRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { openListed, operate } from '../operation.ts';
import type { Caller } from '../policy/actor.ts';
import { findTransportKey, listTransportKeys } from './queries.ts';
import { parseTransportKey } from './schema.ts';

/** A page of the keys, of all plugins or of one. They are nobody's project's. */
export async function listKeys(
  coffer: Coffer,
  caller: Caller,
  pluginName: string | undefined,
  page: { offset: number; limit: number },
): Promise<{ keys: TransportKeyRow[]; total: number }> {
  return await operate(coffer, caller, {
    action: 'transport_keys:get',
    name: 'Transport Key(s) retrieval',
    run: async () => {
      // No plugin has such a name, and PostgreSQL cannot be asked for it.
      if (pluginName?.includes('\0')) return { keys: [], total: 0 };
      const { rows, total } = await listTransportKeys(coffer.db, pluginName ?? null, page);
      const asked = pluginName === undefined ? {} : { plugin_name: pluginName };
      return { keys: await openListed(coffer, caller, 'transport_keys', asked, rows), total };
    },
  });
}

export async function createKey(
  coffer: Coffer,
  caller: Caller,
  readBody: () => Promise<unknown>,
): Promise<string> {
  return await operate(coffer, caller, {
    action: 'transport_keys:post',
    name: 'Transport Key Creation',
    run: async () => {
      const { pluginName, transportKey } = parseTransportKey(await readBody());
      const { db, keyring, clock } = coffer;
      const created = clock.now();
      const row = await sealRow(keyring, 'transport_keys', {
        id: randomUUID(),
        plugin_name: pluginName,
        transport_key: transportKey,
        status: 'ACTIVE',
        created,
        updated: created,
        revision: 1n,
        epoch: await keyring.systemEpoch(),
      });
      await insertRow(db, 'transport_keys', row);
      return row.id;
    },
  });
}

export async function getKey(coffer: Coffer, caller: Caller, id: string): Promise<TransportKeyRow> {
  return await operate(coffer, caller, {
    action: 'transport_key:get',
    name: 'Transport Key retrieval',
    run: async () => await readKey(coffer, id),
  });
}

export async function deleteKey(coffer: Coffer, caller: Caller, id: string): Promise<void> {
  await operate(coffer, caller, {
    action: 'transport_key:delete',
    name: 'Transport Key deletion',
    run: async () => await deleteRow(coffer.db, 'transport_keys', await readKey(coffer, id)),
  });
}

async function readKey({ db, keyring }: Coffer, id: string): Promise<TransportKeyRow> {
  const row = await findTransportKey(db, id);
  if (row === undefined) throw new CofferError('not_found', 'Not Found. Transport Key not found.');
  return await openRow(keyring, 'transport_keys', { id }, row);
}
