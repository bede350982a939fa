import type { Config } from '../config.ts';
import type { ProjectRow, RoleRow, UserRow } from '../db/schema.ts';
import { CofferError } from '../errors.ts';
import type { Management } from '../identity/management/management.ts';
import { type CommandContext, type Flags, UsageError } from './command.ts';
import { installationFlags } from './setting-flags.ts';
import { withInstallation } from './with-installation.ts';

export const confirmationFlags: Flags = {
  yes: { type: 'boolean', description: 'Do not ask.' },
  ...installationFlags,
};

/** Management in the name of whoever may read the keyring: nothing is refused but what would break it. */
export async function withManagement<T>(
  context: CommandContext,
  use: (management: Management, config: Config) => Promise<T>,
): Promise<T> {
  const { createPasswordHasher } = await import('../crypto/password.ts');
  const { createRevisionMemory } = await import('../db/revisions.ts');
  return await withInstallation(context, { allowEmpty: false }, async ({ db, keyring, clock }, config) => {
    const management: Management = {
      db,
      keyring,
      clock,
      memory: createRevisionMemory(),
      passwords: createPasswordHasher(),
      require: () => {},
      leaveOut: (table) => {
        context.stderr.write(`A row of ${table} did not verify and was left out.\n`);
      },
    };
    return await use(management, config);
  });
}

export function oneName({ positionals: [name, ...more] }: CommandContext, command: string): string {
  if (name === undefined || more.length > 0) throw new UsageError(`${command}: one NAME`);
  return name;
}

/** `--enable` and `--disable` as what they say. */
export function enabledFlag({ values }: CommandContext, command: string): { enabled?: boolean } {
  const { enable, disable } = values;
  if (enable === true && disable === true)
    throw new UsageError(`${command}: --enable or --disable, not both`);
  return enable === true || disable === true ? { enabled: enable === true } : {};
}

export const enableFlags: Flags = {
  enable: { type: 'boolean', description: 'Let in again.' },
  disable: { type: 'boolean', description: 'Let nobody in by it; every token of it ends.' },
};

/** By name, or by id where there is none of that name. @throws CofferError `not_found`. */
export async function resolveProject(management: Management, text: string): Promise<ProjectRow> {
  const { getProject } = await import('../identity/administration.ts');
  const { findProject } = await import('../identity/rows.ts');
  return await byNameOrId(
    async () => await getProject(management, text),
    async () => await findProject(management, text),
  );
}

/** By name, or by id where there is none of that name. @throws CofferError `not_found`. */
export async function resolveUser(management: Management, text: string): Promise<UserRow> {
  const { getUser } = await import('../identity/administration.ts');
  const { readTarget } = await import('../identity/management/management.ts');
  return await byNameOrId(
    async () => await getUser(management, text),
    async () => (await readTarget(management, text))?.known.user,
  );
}

/** By name, or by id where there is none of that name. @throws CofferError `not_found`. */
export async function resolveRole(management: Management, text: string): Promise<RoleRow> {
  const { getRole } = await import('../identity/administration.ts');
  const { findRole } = await import('../identity/rows.ts');
  return await byNameOrId(
    async () => await getRole(management, text),
    async () => await findRole(management, text),
  );
}

async function byNameOrId<T>(byName: () => Promise<T>, byId: () => Promise<T | undefined>): Promise<T> {
  try {
    return await byName();
  } catch (error) {
    if (!(error instanceof CofferError && error.code === 'not_found')) throw error;
    const found = await byId();
    if (found === undefined) throw error;
    return found;
  }
}
