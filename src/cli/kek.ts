import type { Coffer } from '../coffer.ts';
import type { Config } from '../config.ts';
import type { Installation } from '../installation.ts';
import type { Wanted } from '../rotation/rotate-all.ts';
import { type Command, type CommandContext, type Flags, stringFlag, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { putOnRecord } from './operator-record.ts';
import { createProgress } from './progress.ts';
import { installationFlags } from './setting-flags.ts';
import { parseTime } from './time-flag.ts';
import { withInstallation } from './with-installation.ts';

const projectFlag: Flags = {
  project: { type: 'string', description: 'One project, by name or id.', placeholder: 'PROJECT' },
};

/** Of all that rotates: how fast, and how long old keys stay after the last row. */
export const paceFlags: Flags = {
  rate: {
    type: 'string',
    description: 'How many rows a second are moved at most, in place of COFFER_ROTATION_RATE.',
    placeholder: 'ROWS',
  },
  rest: {
    type: 'string',
    description: 'How long the old KEK stays after its last row, for requests under way: 15s by default.',
    placeholder: 'TIME',
  },
};

const rotate: Command = {
  name: 'kek rotate',
  summary:
    'Give projects a new KEK: every DEK is wrapped anew, every row sealed anew, and the old KEK destroyed. Nothing stops meanwhile.',
  usage: '--project PROJECT | --all [--older-than AGE] [flags]',
  example: 'coffer kek rotate --all --older-than 90d',
  flags: {
    ...projectFlag,
    all: { type: 'boolean', description: 'Every project that has a KEK, and the system itself.' },
    'older-than': {
      type: 'string',
      description: 'Only KEKs older than this: 90d, 12h, 30m, 60s.',
      placeholder: 'AGE',
    },
    ...paceFlags,
    ...installationFlags,
  },
  run: async (context) => {
    const [project, all] = [stringFlag(context, 'project'), context.values['all'] === true];
    if ((project === undefined) === !all) throw new UsageError('kek rotate: --project PROJECT or --all');
    const age = await parseTime(context, 'older-than');
    return await withInstallation(context, { allowEmpty: false }, async (parts, config) => {
      const projectIds = project === undefined ? undefined : [await findProjectId(parts, project)];
      return await rotateWanted(context, parts, config, {
        projectIds,
        olderThanSeconds: age,
        from: null,
        to: undefined,
      });
    });
  },
};

/** Rotates, shows how far it is, and says what came of it. Ends with 1 when an old KEK is still needed. */
export async function rotateWanted(
  context: CommandContext,
  parts: Installation & Pick<Coffer, 'clock'>,
  { rotationRate }: Pick<Config, 'rotationRate'>,
  wanted: Wanted,
): Promise<number> {
  const { findProjectsToRotate, rotateAll } = await import('../rotation/rotate-all.ts');
  const { USUAL_PACE } = await import('../rotation/rotation.ts');
  const { createSilentLog } = await import('./command-log.ts');
  const log = createSilentLog();
  const damaged = new Set<string>();
  const integrityViolations = { count: (table: string) => damaged.add(table) };
  const rotation = { ...parts, log, integrityViolations };
  const pace = {
    ...USUAL_PACE,
    rowsPerSecond: parseRate(context) ?? rotationRate,
    restSeconds: (await parseTime(context, 'rest')) ?? USUAL_PACE.restSeconds,
  };
  const progress = createProgress(context, 'moving rows');
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    const ids = await findProjectsToRotate(parts, wanted);
    const { rotated, blocked, failed } = await rotateAll(rotation, pace, ids, wanted.to, {
      signal: stop.signal,
      onProgress: (done, total) => progress.show(done, total),
    });
    progress.end();
    for (const id of rotated) await putOnRecord(context, 'keyring:rotate_kek', id);
    context.stdout.write(`Rotated the KEKs of ${rotated.length} of ${ids.length} projects.\n`);
    for (const { id, why } of failed) context.stderr.write(`Not rotated: project ${id}: ${why.message}\n`);
    if (stop.signal.aborted) {
      context.stderr.write('Cut off: the worker goes on with what is left.\n');
      return exitCodes.internal;
    }
    if (blocked.length === 0) return failed.length === 0 ? exitCodes.done : exitCodes.internal;
    context.stderr.write(
      `Rows that do not verify (in ${[...damaged].join(', ')}) hold the old KEKs of: ${blocked.join(', ')}\n`,
    );
    return exitCodes.internal;
  } finally {
    progress.end();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function parseRate(context: CommandContext): number | undefined {
  const text = stringFlag(context, 'rate');
  if (text === undefined) return undefined;
  const rate = Number(text);
  if (/^[1-9]\d{0,6}$/.test(text) && rate <= 1_000_000) return rate;
  throw new UsageError('--rate is a number of rows a second, from 1 to 1000000');
}

/** A name of the Default domain, or an id. */
export async function findProjectId(
  parts: Installation & Pick<Coffer, 'clock'>,
  text: string,
): Promise<string> {
  if ((await parts.keyring.findProject(text)) !== undefined) return text;
  const { getProject } = await import('../identity/administration.ts');
  return (await getProject(parts, text)).id;
}

export const commands: readonly Command[] = [rotate];
