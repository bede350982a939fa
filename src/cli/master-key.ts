import type { Coffer } from '../coffer.ts';
import type { Config } from '../config.ts';
import type { Installation } from '../installation.ts';
import type { FailedKek } from '../rotation/kek-check.ts';
import type { RotationParts } from '../rotation/rewrap.ts';
import { type Command, type CommandContext, type Flags, stringFlag, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { putOnRecord } from './operator-record.ts';
import { chooseFormat, type Format, formatList, formatOne, outputFlag } from './output.ts';
import { createProgress } from './progress.ts';
import { confirmByName } from './prompt.ts';
import { installationFlags } from './setting-flags.ts';
import { withInstallation } from './with-installation.ts';

type Opened = Installation & Pick<Coffer, 'clock'>;

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];
const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];
const storeFlag: Flags = {
  store: { type: 'string', description: 'A secret store; by default the first.', placeholder: 'STORE' },
};

const list: Command = {
  name: 'master-key list',
  summary: 'List the master keys of the secret stores: which is in use, and how many KEKs are under each.',
  usage: '[--store STORE] [flags]',
  example: 'coffer master-key list',
  flags: {
    store: { type: 'string', description: 'One secret store; by default all.', placeholder: 'STORE' },
    ...outputFlag(listFormats),
    ...installationFlags,
  },
  run: async (context) => {
    takeNothing(context, 'list');
    const format = chooseFormat(context, listFormats);
    return await withInstallation(context, { allowEmpty: false }, async (parts, config) => {
      const only = stringFlag(context, 'store');
      const stores = only === undefined ? parts.keyring.stores.names : [storeOf(context, parts)];
      const { describeMasterKeys } = await import('../rotation/master-keys.ts');
      const keys = (
        await Promise.all(stores.map(async (store) => await describeMasterKeys(parts, store)))
      ).flat();
      const fields = keys.map(({ id, store, state, keks }) => ({
        id,
        store,
        state,
        keks,
        where: placeOf(config, store),
      }));
      context.stdout.write(formatList(fields, ['id', 'store', 'state', 'keks', 'where'], format));
      return exitCodes.done;
    });
  },
};

const add: Command = {
  name: 'master-key add',
  summary:
    'Make a master key in the keyring file, or in the token of a PKCS#11 store, where it never leaves. It is used once `master-key rotate` says so. Its id is mk- and the day, unless given.',
  usage: '[ID] [--store STORE] [flags]',
  example: 'coffer master-key add mk-2027',
  flags: { ...storeFlag, ...outputFlag(formats), ...installationFlags },
  run: async (context) => {
    const [given, ...more] = context.positionals;
    if (more.length > 0) throw new UsageError('master-key add: one ID at most');
    const format = chooseFormat(context, formats);
    return await withInstallation(context, { allowEmpty: false }, async (parts, config) => {
      const store = storeOf(context, parts);
      const { nameMasterKey } = await import('../keyring/master-keys.ts');
      const { addMasterKey } = await import('../rotation/master-keys.ts');
      const id = given ?? nameMasterKey(parts.clock.now());
      await addMasterKey(await rotationOf(parts), { store, id });
      await putOnRecord(context, 'keyring:add_master_key', `${store}/${id}`);
      const where = placeOf(config, store);
      context.stdout.write(formatOne({ id, store, where }, format));
      if (kindOf(config, store) === 'software') {
        context.stderr.write(
          `Copy ${where} to every server, and to your own copy, before the rotation to ${id}.\n`,
        );
      }
      return exitCodes.done;
    });
  },
};

const rotate: Command = {
  name: 'master-key rotate',
  summary:
    'Put every KEK of a secret store under another of its master keys, while everything goes on. Cut off, it is run again. Ends with 1 when a KEK does not open, or is of a store that is not configured, and names it.',
  usage: '--to ID [--store STORE] [flags]',
  example: 'coffer master-key add mk-2027\ncoffer master-key rotate --to mk-2027',
  flags: {
    to: { type: 'string', description: 'The master key that is used from now on.', placeholder: 'ID' },
    ...storeFlag,
    ...outputFlag(formats),
    ...installationFlags,
  },
  run: async (context) => {
    takeNothing(context, 'rotate');
    const to = stringFlag(context, 'to');
    if (to === undefined) throw new UsageError('master-key rotate: --to ID');
    const format = chooseFormat(context, formats);
    return await withInstallation(context, { allowEmpty: false }, async (parts) => {
      return await rotateTo(context, parts, { store: storeOf(context, parts), to, format });
    });
  },
};

async function rotateTo(
  context: CommandContext,
  parts: Opened,
  { store, to, format }: { store: string; to: string; format: Format },
): Promise<number> {
  const { rotateMasterKey } = await import('../rotation/master-key-rotation.ts');
  const progress = createProgress(context, 'moving KEKs');
  const checking = createProgress(context, 'checking KEKs');
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    const rotation = await rotationOf(parts);
    const { moved, failed } = await rotateMasterKey(
      rotation,
      { store, to },
      {
        signal: stop.signal,
        onProgress: (done, total) => progress.show(done, total),
        onChecked: (done, total) => {
          progress.end();
          checking.show(done, total);
        },
      },
    );
    progress.end();
    checking.end();
    await putOnRecord(context, 'keyring:rotate_master_key', `${store}/${to}`);
    context.stdout.write(formatOne({ id: to, store, moved, failed: failed.length }, format));
    for (const kek of failed) context.stderr.write(`${describeFailed(kek)}\n`);
    if (!stop.signal.aborted) return failed.length === 0 ? exitCodes.done : exitCodes.internal;
    context.stderr.write('Cut off: run it again, it goes on with what is left.\n');
    return exitCodes.internal;
  } finally {
    progress.end();
    checking.end();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function describeFailed({ projectId, epoch, masterKeyId, unknownStore }: FailedKek): string {
  const why =
    unknownStore === undefined
      ? `does not open under the master key ${masterKeyId}`
      : `is of the store ${unknownStore}, which is not configured here`;
  return `Not moved: the KEK of project ${projectId}, epoch ${epoch}, ${why}.`;
}

const retire: Command = {
  name: 'master-key retire',
  summary:
    'Destroy a master key that no KEK needs: out of the keyring file, or out of the token. Backups of the database that were made before its rotation open with it alone.',
  usage: 'ID [--store STORE] [flags]',
  example: 'coffer master-key retire mk-2026',
  flags: {
    ...storeFlag,
    yes: { type: 'boolean', description: 'Do not ask.' },
    ...outputFlag(formats),
    ...installationFlags,
  },
  run: async (context) => {
    const [id, ...more] = context.positionals;
    if (id === undefined || more.length > 0) throw new UsageError('master-key retire: one ID');
    const format = chooseFormat(context, formats);
    const what =
      `The master key ${id} is destroyed for good. ` +
      'Another installation that has it, or another copy of this database, loses what it has under it';
    if (!(await confirmByName(context, id, what))) {
      context.stderr.write('coffer: nothing was retired\n');
      return exitCodes.invalid;
    }
    return await withInstallation(context, { allowEmpty: false }, async (parts, config) => {
      const store = storeOf(context, parts);
      const { retireMasterKey } = await import('../rotation/master-key-retirement.ts');
      await retireMasterKey(await rotationOf(parts), { store, id });
      await putOnRecord(context, 'keyring:retire_master_key', `${store}/${id}`);
      const where = placeOf(config, store);
      context.stdout.write(formatOne({ id, store, where }, format));
      if (kindOf(config, store) === 'software') {
        context.stderr.write(`It is out of ${where}: take it out on every server and of your own copies.\n`);
      }
      return exitCodes.done;
    });
  },
};

async function rotationOf(parts: Opened): Promise<RotationParts> {
  const { createSilentLog } = await import('./command-log.ts');
  return { ...parts, log: createSilentLog(), integrityViolations: { count: () => {} } };
}

function storeOf(context: CommandContext, { keyring: { stores } }: Opened): string {
  const name = stringFlag(context, 'store') ?? stores.names[0];
  const store = stores.find(name)?.store;
  if (store === undefined) {
    throw new UsageError(`there is no store ${name}; there are: ${stores.names.join(', ')}`);
  }
  return store;
}

function kindOf({ stores }: Config, name: string): string | undefined {
  return stores.find((store) => store.name === name)?.kind;
}

function placeOf({ stores, pkcs11 }: Config, name: string): string {
  const store = stores.find((one) => one.name === name);
  return store?.kind === 'software' ? store.file : `the token '${pkcs11?.tokenLabel ?? ''}'`;
}

function takeNothing({ positionals }: CommandContext, verb: string): void {
  if (positionals.length > 0) throw new UsageError(`master-key ${verb}: takes flags alone`);
}

export const commands: readonly Command[] = [list, add, rotate, retire];
