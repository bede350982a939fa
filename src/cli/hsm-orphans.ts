import { setTimeout as sleep } from 'node:timers/promises';
import type { Orphans } from '../keyring/orphans.ts';
import { type Command, type CommandContext, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { putOnRecord } from './operator-record.ts';
import { chooseFormat, type Format, formatList, outputFlag } from './output.ts';
import { confirmByName } from './prompt.ts';
import { installationFlags } from './setting-flags.ts';
import { parseTime } from './time-flag.ts';
import { withInstallation } from './with-installation.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml'];

/** Lists, and destroys, what a token keeps for KEKs that the database does not know. */
export const orphans: Command = {
  name: 'hsm orphans',
  summary:
    'List the KEKs of a token that no row of the database names, as a server that was killed leaves them; --destroy ends them.',
  usage: '[--destroy [--yes]] [flags]',
  example: 'coffer hsm orphans --destroy',
  flags: {
    destroy: { type: 'boolean', description: 'Destroy them. Only with the database that is in use.' },
    settle: {
      type: 'string',
      description: 'How long keys that are being made get until their rows are looked for: 75s by default.',
      placeholder: 'TIME',
    },
    yes: { type: 'boolean', description: 'Do not ask.' },
    ...outputFlag(formats),
    ...installationFlags,
  },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('hsm orphans: takes flags alone');
    const format = chooseFormat(context, formats);
    const seconds = await parseTime(context, 'settle');
    return await withInstallation(context, { allowEmpty: false }, async ({ keyring }) => {
      const { ORPHAN_WAIT_MS } = await import('../keyring/orphans.ts');
      const waitMs = seconds === null ? ORPHAN_WAIT_MS : seconds * 1_000;
      const found = await keyring.findOrphans(async () => {
        if (waitMs > 0) context.stderr.write(`Waiting ${waitMs / 1_000} s for keys that are being made.\n`);
        await sleep(waitMs);
      });
      const rows = found.flatMap(({ store, orphans: ids }) => ids.map((object) => ({ store, object })));
      context.stdout.write(formatList(rows, ['store', 'object'], format));
      if (context.values['destroy'] === true) return await destroyAll(context, found);
      const unreadable = unreadableOf(found);
      if (unreadable !== '') context.stderr.write(`${unreadable}\n`);
      return exitCodes.done;
    });
  },
};

async function destroyAll(context: CommandContext, found: readonly Orphans[]): Promise<number> {
  const unreadable = unreadableOf(found);
  if (unreadable !== '') {
    context.stderr.write(`Nothing is destroyed. ${unreadable}\n`);
    return exitCodes.internal;
  }
  for (const { store, objects, orphans: ids } of found.filter(({ orphans: some }) => some.length > 0)) {
    const what =
      `This destroys ${ids.length} keys in the store ${store}. ` +
      'Another installation on the same token, or another copy of this database, loses what it has under them';
    if (!(await confirmByName(context, store, what))) return exitCodes.invalid;
    for (const id of ids) {
      await objects.destroy(id);
      await putOnRecord(context, 'keyring:destroy_orphan', `${store}/${id}`);
    }
    context.stderr.write(`Destroyed ${ids.length} keys in the store ${store}.\n`);
  }
  return exitCodes.done;
}

function unreadableOf(found: readonly Orphans[]): string {
  const ids = [...new Set(found.flatMap(({ unreadable }) => unreadable))];
  if (ids.length === 0) return '';
  return `These KEKs do not open with the stores that are configured here, and one of the objects may be theirs: ${ids.join(', ')}`;
}
