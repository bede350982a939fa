import { type Command, type CommandContext, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { putOnRecord } from './operator-record.ts';
import { chooseFormat, type Fields, type Format, formatList, formatOne, outputFlag } from './output.ts';
import { confirmByName } from './prompt.ts';
import { installationFlags } from './setting-flags.ts';
import { withInstallation } from './with-installation.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];
const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];

interface Key {
  id: string;
  not_before: Date;
  not_after: Date;
  created: Date;
}

function fieldsOf(key: Key, state: string): Fields {
  const times = [key.created, key.not_before, key.not_after].map((time) => time.toISOString());
  const [created = '', signs_from = '', ends = ''] = times;
  return { id: key.id, state, created, signs_from, ends };
}

/** Oldest first; of those that have begun, the one that did last signs. */
function describeKeys(keys: readonly Key[], now: Date): Fields[] {
  const inUse = keys.filter((key) => key.not_before <= now && key.not_after > now);
  const [signing] = inUse.toSorted((a, b) => b.not_before.getTime() - a.not_before.getTime());
  const sorted = keys.toSorted((a, b) => a.created.getTime() - b.created.getTime());
  return sorted.map((key) => {
    if (key === signing) return fieldsOf(key, 'signs');
    if (key.not_after <= now) return fieldsOf(key, 'retired');
    return fieldsOf(key, key.not_before > now ? 'published' : 'verifies');
  });
}

async function list(context: CommandContext): Promise<number> {
  if (context.positionals.length > 0) throw new UsageError('signing-key list: takes flags alone');
  const format = chooseFormat(context, listFormats);
  return await withInstallation(context, { allowEmpty: false }, async (parts) => {
    const { listGenuineKeys } = await import('../identity/signing-key-rotation.ts');
    const keys = describeKeys(await listGenuineKeys(parts, parts.db), parts.clock.now());
    context.stdout.write(formatList(keys, ['id', 'state', 'signs_from', 'ends'], format));
    return exitCodes.done;
  });
}

async function rotate(context: CommandContext): Promise<number> {
  if (context.positionals.length > 0) throw new UsageError('signing-key rotate: takes flags alone');
  const atOnce = context.values['now'] === true;
  const format = chooseFormat(context, formats);
  const what = 'Every token ends at once, and everybody has to log in again';
  if (atOnce && !(await confirmByName(context, 'now', what))) {
    context.stderr.write('coffer: nothing was rotated\n');
    return exitCodes.invalid;
  }
  return await withInstallation(context, { allowEmpty: false }, async (parts) => {
    const { rotateSigningKey } = await import('../identity/signing-key-rotation.ts');
    const made = await rotateSigningKey(parts, { atOnce });
    if (made === undefined) throw new Error('a rotation that was asked for was not done');
    await putOnRecord(context, 'identity:rotate_signing_key', made.id);
    const state = made.not_before > parts.clock.now() ? 'published' : 'signs';
    context.stdout.write(formatOne(fieldsOf(made, state), format));
    return exitCodes.done;
  });
}

export const commands: readonly Command[] = [
  {
    name: 'signing-key list',
    summary: "List the keys that tokens are signed with, on the server's machine.",
    usage: '[flags]',
    example: 'coffer signing-key list',
    flags: { ...outputFlag(listFormats), ...installationFlags },
    run: list,
  },
  {
    name: 'signing-key rotate',
    summary:
      'Make the next signing key: published now, used in five minutes; the one before is retired when the last of its tokens has ended.',
    usage: '[flags]',
    example: 'coffer signing-key rotate\ncoffer signing-key rotate --now --yes   # somebody has the key',
    flags: {
      now: {
        type: 'boolean',
        description:
          'For a key that somebody else has: use the new key at once and end every token there is.',
      },
      yes: { type: 'boolean', description: 'Do not ask.' },
      ...outputFlag(formats),
      ...installationFlags,
    },
    run: rotate,
  },
];
