import type { Clock } from '../coffer.ts';
import type { App, MadeApp } from '../identity/applications/apps.ts';
import type { Installation } from '../installation.ts';
import { appFlags, parseAllowed, parseExpires } from './app-flags.ts';
import { type Command, type CommandContext, listFlag, stringFlag, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { putOnRecord } from './operator-record.ts';
import { chooseFormat, type Fields, type Format, formatList, formatOne, outputFlag } from './output.ts';
import { confirmByName } from './prompt.ts';
import { installationFlags } from './setting-flags.ts';
import { requireOwnUsers, withInstallation } from './with-installation.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];
const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];
type Parts = Installation & { clock: Clock };

const create: Command = {
  name: 'app create',
  summary:
    "Make an application with a credential, on the server's machine. Prints a code that is redeemed once, within 10 minutes.",
  usage:
    'NAME --project PROJECT [--create-project] [--allow METHOD:PATH]… [--role ROLE]… [--expires TIME] [flags]',
  example:
    'coffer app create web --project shop --create-project --allow GET:/v1/secrets/** --expires 90d\n' +
    "coffer login --redeem   # then, on the application's machine",
  flags: { ...appFlags, ...outputFlag(formats), ...installationFlags },
  run: async (context) => {
    const name = oneName(context, 'app create');
    const project = stringFlag(context, 'project');
    if (!project) throw new UsageError('app create: needs --project, whose secrets it may use');
    const rules = listFlag(context, 'allow').map(parseAllowed);
    const expires = parseExpires(stringFlag(context, 'expires'), new Date());
    const format = chooseFormat(context, formats);
    return await withInstallation(context, { allowEmpty: false }, async (parts, config) => {
      requireOwnUsers(config, 'app create');
      const { createApp } = await import('../identity/applications/apps.ts');
      const given = [...new Set(listFlag(context, 'role'))];
      const app = await createApp(parts, {
        name,
        project,
        createProject: context.values['create-project'] === true,
        roles: given.length > 0 ? given : [config.rules === 'secure' ? 'member' : 'observer'],
        rules: rules.length > 0 ? rules : null,
        expires,
        source: stringFlag(context, 'source') ?? null,
        printsSecret: context.values['print-secret'] === true,
      });
      await putOnRecord(context, 'identity:create_application_credential', app.credential.id);
      const handed = handOver(app, config.publicUrl);
      const shown = { ...(await describe(parts, app)), ...handed };
      const isRaw = format === 'raw';
      context.stdout.write(isRaw ? `${handed['secret'] ?? handed['code']}\n` : formatOne(shown, format));
      if (context.stderr.isTTY && 'code' in app) {
        context.stderr.write("On the application's machine, within 10 minutes: coffer login --redeem\n");
      }
      return exitCodes.done;
    });
  },
};

/** The code carries the address of the server; what is after the `@` is no part of the secret. */
function handOver(app: MadeApp, publicUrl: string): Fields {
  if ('secret' in app) return { secret: app.secret };
  return { code: `${app.code}@${publicUrl}`, code_expires_at: app.codeExpires.toISOString() };
}

const list: Command = {
  name: 'app list',
  summary: 'The applications, with the state of their credentials.',
  usage: '[flags]',
  example: 'coffer app list',
  flags: { ...outputFlag(listFormats), ...installationFlags },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('app list: takes flags alone');
    const format = chooseFormat(context, listFormats);
    return await withInstallation(context, { allowEmpty: false }, async (parts) => {
      const { listApps } = await import('../identity/applications/apps.ts');
      const apps = await listApps(parts);
      const shown = await Promise.all(apps.map(async (app) => await describe(parts, app)));
      context.stdout.write(formatList(shown, ['name', 'project', 'roles', 'state', 'expires_at'], format));
      return exitCodes.done;
    });
  },
};

const show: Command = {
  name: 'app show',
  summary: 'One application, with what it may do.',
  usage: 'NAME [flags]',
  example: 'coffer app show web -o json',
  flags: { ...outputFlag(formats), ...installationFlags },
  run: async (context) => {
    const name = oneName(context, 'app show');
    const format = chooseFormat(context, formats);
    return await withInstallation(context, { allowEmpty: false }, async (parts) => {
      const { getApp } = await import('../identity/applications/apps.ts');
      context.stdout.write(formatOne(await describe(parts, await getApp(parts, name)), format));
      return exitCodes.done;
    });
  },
};

/** A command that ends something of one application, once that was confirmed. */
function ending(
  verb: 'revoke' | 'delete',
  summary: string,
  warning: (name: string) => string,
  /** Resolves to the id of what ended. */
  act: (parts: Parts, name: string) => Promise<string>,
): Command {
  const command = `app ${verb}`;
  const action = verb === 'revoke' ? 'identity:revoke_token' : 'identity:delete_user';
  return {
    name: command,
    summary,
    usage: 'NAME [--yes] [flags]',
    example: `coffer ${command} web`,
    flags: { yes: { type: 'boolean', description: 'Do not ask.' }, ...installationFlags },
    run: async (context) => {
      const name = oneName(context, command);
      if (!(await confirmByName(context, name, warning(name)))) return exitCodes.invalid;
      return await withInstallation(context, { allowEmpty: false }, async (parts) => {
        await putOnRecord(context, action, await act(parts, name));
        return exitCodes.done;
      });
    },
  };
}

const revoke = ending(
  'revoke',
  'End the secret and the tokens of an application on every server within 5 s; app create makes a new secret.',
  (name) => `This ends the secret and the tokens of ${name}`,
  async (parts, name) => await (await import('../identity/applications/apps.ts')).revokeApp(parts, name),
);

const remove = ending(
  'delete',
  'Delete an application, its user and its credential. What it stored stays in the project.',
  (name) => `This deletes the application ${name} and ends its tokens`,
  async (parts, name) => await (await import('../identity/applications/apps.ts')).deleteApp(parts, name),
);

function oneName({ positionals: [name, ...more] }: CommandContext, command: string): string {
  if (name === undefined || more.length > 0) throw new UsageError(`${command}: one NAME`);
  return name;
}

async function describe(parts: Parts, { name, user, credential, state }: App): Promise<Fields> {
  const { decodeAccessRules, decodeRoles } = await import('../identity/applications/credential-lists.ts');
  const project = await parts.keyring.findProject(credential.project_id);
  const rules = decodeAccessRules(credential.access_rules);
  return {
    id: credential.id,
    name,
    project: project?.name ?? credential.project_id,
    roles: decodeRoles(credential.roles)
      .map((role) => role.name)
      .sort()
      .join(','),
    allow: rules === null ? null : rules.map(({ method, path }) => `${method}:${path}`).join(' '),
    state,
    expires_at: credential.expires?.toISOString() ?? null,
    user: user.id,
  };
}

export const commands: readonly Command[] = [create, list, show, revoke, remove];
