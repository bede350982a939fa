import type { ProjectRow } from '../db/schema.ts';
import type { Management } from '../identity/management/management.ts';
import type { Shredding } from '../projects/shredding.ts';
import { type Command, type CommandContext } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { confirmationFlags, oneName, resolveProject, withManagement } from './operator.ts';
import { putOnRecord } from './operator-record.ts';
import { createProgress } from './progress.ts';
import { confirmByName } from './prompt.ts';

/** Deletes a project, its keys before all else, and says what backups still open with. */
export const shred: Command = {
  name: 'project shred',
  summary:
    'Destroy every key of a project at once, then all that is in it, and say what backups still open with. There is no way back.',
  usage: 'NAME [--yes] [flags]',
  example: 'coffer project shred shop',
  flags: confirmationFlags,
  run: async (context) => {
    const name = oneName(context, 'project shred');
    const what = `This destroys the keys of the project ${name}, and every secret, container and order in it`;
    if (!(await confirmByName(context, name, what))) return exitCodes.invalid;
    return await withManagement(context, async (management) => {
      const project = await resolveAny(management, name);
      await putOnRecord(context, 'identity:delete_project', project.id);
      const progress = createProgress(context, 'deleting rows');
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
      try {
        const shredding = await runShredding(management, project, {
          signal: stop.signal,
          onProgress: (done, total) => progress.show(done, total),
        });
        progress.end();
        return report(context, name, project, shredding);
      } finally {
        progress.end();
        process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      }
    });
  },
};

async function runShredding(
  management: Management,
  project: ProjectRow,
  watch: { signal: AbortSignal; onProgress: (done: number, total: number) => void },
): Promise<Shredding> {
  const { deleteProject } = await import('../identity/management/projects.ts');
  const { removeRolesIn } = await import('../identity/project-roles.ts');
  const { deleteProject: begin } = await import('../projects/deletion.ts');
  const { shredProject } = await import('../projects/shredding.ts');
  const { createSilentLog } = await import('./command-log.ts');
  const integrityViolations = { count: () => management.leaveOut('projects') };
  const parts = {
    ...management,
    log: createSilentLog(),
    integrityViolations,
    removeRoles: async (projectId: string) => await removeRolesIn(management, projectId),
  };
  const destroy = async (id: string): Promise<void> => await begin({ ...management, wake: () => {} }, id);
  return await shredProject(parts, project.id, {
    ...watch,
    // One of an outside Keystone has no roles here, and nobody who administers from it.
    mark: async () =>
      project.origin === 'local'
        ? await deleteProject(management, project.id, destroy)
        : await destroy(project.id),
  });
}

/** Also, by its id, one that another Keystone knows, or whose deletion was begun. */
async function resolveAny(management: Management, text: string): Promise<ProjectRow> {
  const { keyring } = management;
  return (await keyring.findProject(text)) ?? (await resolveProject(management, text));
}

function report(
  { stdout, stderr }: CommandContext,
  name: string,
  { id }: ProjectRow,
  { outcome, rows, keks, masterKeys, unreached, unproven }: Shredding,
): number {
  if (outcome === undefined) {
    stderr.write(
      `Cut off: nothing of it opens any more. The servers do the rest, or: coffer project shred ${id}\n`,
    );
    return exitCodes.internal;
  }
  const isProven = unreached.length + unproven.length === 0;
  stdout.write(
    isProven
      ? `Shredded the project ${name} (${id}): ${keks} keys and ${rows} rows are destroyed.\n`
      : `Deleted the project ${name} (${id}): the rows of ${keks} keys, and ${rows} others.\n`,
  );
  if (unreached.length > 0) {
    stderr.write(
      `Objects of its keys are still in the stores ${unreached.join(', ')}, which COFFER_STORES does not name here. ` +
        'To destroy them, where they are named: coffer hsm orphans --destroy\n',
    );
  }
  if (unproven.length > 0) {
    stderr.write(
      `Rows of its keys did not open here, or were missing: objects may still be in the stores ${unproven.join(', ')}, ` +
        'and open copies of these rows. To destroy them: coffer hsm orphans --destroy\n',
    );
  }
  if (!isProven) return exitCodes.internal;
  stderr.write(keks > 0 && masterKeys.length === 0 ? OBJECTS_GONE : `${describeRemains(masterKeys)}\n`);
  return exitCodes.done;
}

const OBJECTS_GONE =
  'Its keys were objects of a token, and are destroyed there: no backup of the database opens it, a backup of the token does.\n';

/** What of it is still somewhere, and the commands that end that. */
function describeRemains(masterKeys: Shredding['masterKeys']): string {
  const keys = masterKeys.length > 0 ? masterKeys : [{ store: 'STORE', masterKeyId: 'OLD' }];
  return [
    'Servers that run refuse what they had open within 5 s. A backup of the database that was made before still',
    'has its rows and its wrapped keys, and opens with the master key of that time. To end that too:',
    ...keys.flatMap(({ store, masterKeyId }) => [
      `  coffer master-key add NEW --store ${store}`,
      `  coffer master-key rotate --to NEW --store ${store}`,
      `  coffer master-key retire ${masterKeyId} --store ${store}`,
    ]),
    `and destroy every copy of the keyring that has ${keys.map(({ masterKeyId }) => masterKeyId).join(', ')}.`,
  ].join('\n');
}
