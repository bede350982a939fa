import type { Scope } from '../identity/administration.ts';
import type { Management } from '../identity/management/management.ts';
import { type Command, type CommandContext, type Flags, stringFlag, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { oneName, resolveProject, resolveRole, resolveUser, withManagement } from './operator.ts';
import { putOnRecord } from './operator-record.ts';
import { chooseFormat, type Format, formatList, outputFlag } from './output.ts';
import { installationFlags } from './setting-flags.ts';

const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];

const placeFlags: Flags = {
  user: { type: 'string', description: 'Whose role it is.', placeholder: 'USER' },
  project: { type: 'string', description: 'In this project.', placeholder: 'PROJECT' },
  domain: { type: 'boolean', description: 'In the domain Default.' },
  system: { type: 'boolean', description: 'On the whole system.' },
};

const list: Command = {
  name: 'role list',
  summary: 'List the roles there are.',
  usage: '[flags]',
  example: 'coffer role list',
  flags: { ...outputFlag(listFormats), ...installationFlags },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('role list: takes flags alone');
    const format = chooseFormat(context, listFormats);
    return await withManagement(context, async (management) => {
      const { isBuiltIn, listRoles } = await import('../identity/management/roles.ts');
      const roles = await listRoles(management, undefined);
      const fields = roles.map((role) => {
        const { id, name, description } = role;
        return { id, name, built_in: String(isBuiltIn(role)), description };
      });
      context.stdout.write(formatList(fields, ['id', 'name', 'built_in'], format));
      return exitCodes.done;
    });
  },
};

const assign: Command = {
  name: 'role assign',
  summary: 'Give a user a role, in a project, in the domain or on the system.',
  usage: 'ROLE --user USER (--project PROJECT | --domain | --system) [flags]',
  example: 'coffer role assign creator --user ada --project shop',
  flags: { ...placeFlags, ...installationFlags },
  run: async (context) => {
    const { createGrant } = await import('../identity/management/grants.ts');
    return await withGrant(context, 'role assign', createGrant, 'identity:create_grant');
  },
};

const remove: Command = {
  name: 'role remove',
  summary: 'Take a role from a user. Tokens know it within 5 s.',
  usage: 'ROLE --user USER (--project PROJECT | --domain | --system) [flags]',
  example: 'coffer role remove creator --user ada --project shop',
  flags: { ...placeFlags, ...installationFlags },
  run: async (context) => {
    const { revokeGrant } = await import('../identity/management/grants.ts');
    return await withGrant(context, 'role remove', revokeGrant, 'identity:revoke_grant');
  },
};

type Change = (
  management: Management,
  grant: { userId: string; scope: Scope; roleId: string },
) => Promise<void>;

async function withGrant(
  context: CommandContext,
  command: string,
  change: Change,
  action: string,
): Promise<number> {
  const name = oneName(context, command);
  const userName = stringFlag(context, 'user');
  const places = placesOf(context);
  if (userName === undefined || places.length !== 1) {
    throw new UsageError(`${command}: needs --user, and one of --project, --domain and --system`);
  }
  return await withManagement(context, async (management) => {
    const [user, role] = [await resolveUser(management, userName), await resolveRole(management, name)];
    const scope = await readScope(context, management);
    if (scope === undefined) throw new UsageError(`${command}: needs a place`);
    await change(management, { userId: user.id, scope, roleId: role.id });
    const place = scope.kind === 'system' ? 'system' : `${scope.kind}s/${scope.id}`;
    await putOnRecord(context, action, `${place}/users/${user.id}/roles/${role.id}`);
    return exitCodes.done;
  });
}

const assignments: Command = {
  name: 'role assignments',
  summary: 'List who has which role where.',
  usage: '[flags]',
  example: 'coffer role assignments --project shop --effective',
  flags: {
    ...placeFlags,
    role: { type: 'string', description: 'Of this role.', placeholder: 'ROLE' },
    effective: { type: 'boolean', description: 'With the roles that roles imply.' },
    ...outputFlag(listFormats),
    ...installationFlags,
  },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('role assignments: takes flags alone');
    if (placesOf(context).length > 1) {
      throw new UsageError('role assignments: one of --project, --domain and --system');
    }
    const format = chooseFormat(context, listFormats);
    return await withManagement(context, async (management) => {
      const { listRoleAssignments } = await import('../identity/management/role-assignments.ts');
      const filter = await readFilter(context, management);
      const found = await listRoleAssignments(management, () => filter);
      const fields = found.map(({ user, role, prior, scope }) => ({
        id: user.id,
        user: user.name,
        role: role.name,
        implied_by: prior?.name ?? null,
        scope: scope.kind,
        project: scope.name,
      }));
      context.stdout.write(formatList(fields, ['user', 'role', 'implied_by', 'scope', 'project'], format));
      return exitCodes.done;
    });
  },
};

async function readFilter(context: CommandContext, management: Management) {
  const [userName, roleName] = [stringFlag(context, 'user'), stringFlag(context, 'role')];
  const scope = await readScope(context, management);
  const { scopeIdOf } = await import('../identity/administration.ts');
  return {
    ...(userName === undefined ? {} : { userId: (await resolveUser(management, userName)).id }),
    ...(roleName === undefined ? {} : { roleId: (await resolveRole(management, roleName)).id }),
    ...(scope === undefined ? {} : { scopeKind: scope.kind, scopeId: scopeIdOf(scope) }),
    effective: context.values['effective'] === true,
    includeNames: true,
  };
}

function placesOf({ values }: CommandContext): string[] {
  return ['project', 'domain', 'system'].filter((place) => values[place] !== undefined);
}

async function readScope(context: CommandContext, management: Management): Promise<Scope | undefined> {
  const { DEFAULT_DOMAIN } = await import('../identity/keystone-requests.ts');
  const projectName = stringFlag(context, 'project');
  if (projectName !== undefined) {
    return { kind: 'project', id: (await resolveProject(management, projectName)).id };
  }
  if (context.values['domain'] === true) return { kind: 'domain', id: DEFAULT_DOMAIN.id };
  return context.values['system'] === true ? { kind: 'system' } : undefined;
}

export const commands: readonly Command[] = [list, assign, remove, assignments];
