import { rm } from 'node:fs/promises';
import { type Command, type CommandContext, stringFlag, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Format, formatOne, outputFlag, printable } from './output.ts';
import { confirmByName } from './prompt.ts';
import { putOnRecord } from './operator-record.ts';
import { installationFlags } from './setting-flags.ts';
import { findStoredToken, tokenPath } from './stored-token.ts';
import { withInstallation } from './with-installation.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env'];
/** What all tokens of may be ended. */
const WHOSE = ['user', 'project', 'app'] as const;

async function issue(context: CommandContext): Promise<number> {
  if (context.positionals.length > 0) throw new UsageError('token issue: takes flags alone');
  const { token } = await (await connect(context)).login();
  context.stdout.write(`${token.text()}\n`);
  return exitCodes.done;
}

async function show(context: CommandContext): Promise<number> {
  if (context.positionals.length > 0) throw new UsageError('token show: takes flags alone');
  const format = chooseFormat(context, formats);
  const found = await (await connect(context)).describeToken();
  const shown = {
    id: found.auditId,
    user: found.userName,
    user_id: found.userId,
    scope: found.scope,
    project: found.projectName,
    project_id: found.projectId,
    roles: found.roles.join(','),
    methods: found.methods.join(','),
    issued_at: found.issuedAt.toISOString(),
    expires_at: found.expiresAt.toISOString(),
  };
  context.stdout.write(formatOne(shown, format));
  return exitCodes.done;
}

async function revoke(context: CommandContext): Promise<number> {
  if (context.positionals.length > 0) {
    throw new UsageError('token revoke: takes flags alone; a token is a secret, and never an argument');
  }
  const [whose, another] = WHOSE.filter((flag) => stringFlag(context, flag) !== undefined);
  if (another !== undefined) throw new UsageError('token revoke: one of --user, --project, --app');
  if (whose === undefined) return await revokeOwn(context);
  const name = stringFlag(context, whose) ?? '';
  const of = { user: 'the user', project: 'the project', app: 'the application credential' }[whose];
  if (!(await confirmByName(context, printable(name), `This ends every token of ${of} ${printable(name)}`))) {
    context.stderr.write('coffer: nothing was revoked: what was typed is not its name\n');
    return exitCodes.invalid;
  }
  return await withInstallation(context, { allowEmpty: false }, async (parts) => {
    const { getProject, getUser } = await import('../identity/administration.ts');
    const end = await import('../identity/end-tokens.ts');
    const subject =
      whose === 'app' ? name : (await (whose === 'user' ? getUser : getProject)(parts, name)).id;
    if (whose === 'user') await end.endTokensOfUser(parts, subject);
    else if (whose === 'project') await end.endTokensOfProject(parts, subject);
    else await end.endTokensOfApplication(parts, subject);
    await putOnRecord(context, 'identity:revoke_token', subject);
    return exitCodes.done;
  });
}

/** Logs out: the token of this machine's last login, or the one of the environment. */
async function revokeOwn(context: CommandContext): Promise<number> {
  const coffer = await connect(context);
  const ended = (await coffer.login()).token.text();
  await coffer.logout();
  const path = tokenPath(context.env);
  const stored = await findStoredToken(path).catch(() => undefined);
  if (stored?.token === ended) await rm(path, { force: true });
  return exitCodes.done;
}

export const commands: readonly Command[] = [
  {
    name: 'token issue',
    summary: 'Print a token, for another program.',
    usage: '[flags]',
    example: 'curl -H "X-Auth-Token: $(coffer token issue)" https://vault.example:9311/v1/secrets',
    flags: connectionFlags,
    run: issue,
  },
  {
    name: 'token show',
    summary: 'Show whose the token in use is, for what, with which roles and until when.',
    usage: '[flags]',
    example: 'coffer token show -o json',
    flags: { ...outputFlag(formats), ...connectionFlags },
    run: show,
  },
  {
    name: 'token revoke',
    summary:
      "End the token in use; or every token of a user, a project or an application credential, on the server's machine.",
    usage: '[--user NAME | --project NAME | --app ID] [flags]',
    example: 'coffer token revoke\ncoffer token revoke --user ada --yes',
    flags: {
      user: { type: 'string', description: 'End every token of this user.', placeholder: 'NAME' },
      project: { type: 'string', description: 'End every token for this project.', placeholder: 'NAME' },
      app: {
        type: 'string',
        description: 'End every token of this application credential; it can still log in.',
        placeholder: 'ID',
      },
      yes: { type: 'boolean', description: 'Do not ask.' },
      ...connectionFlags,
      ...installationFlags,
    },
    run: revoke,
  },
];
