import type { Acl, Coffer, Shared } from '../client/index.ts';
import { type Command, type CommandContext, type Flags, listFlag, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Fields, type Format, formatOne, outputFlag } from './output.ts';
import { containerFlag, findShared, onlyShared } from './share-target.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env'];

const userFlag: Flags = {
  user: {
    type: 'string',
    multiple: true,
    description: 'The id of a user, of any project; may be given several times.',
    placeholder: 'ID',
  },
};

function fieldsOf(acl: Acl): Fields {
  return {
    project_access: String(acl.projectAccess),
    users: acl.users.join(' '),
    created: acl.created?.toISOString() ?? null,
    updated: acl.updated?.toISOString() ?? null,
  };
}

/** What was done is shown as it is then: nobody has to ask for it again. */
async function changeAndShow(
  context: CommandContext,
  command: string,
  change: (coffer: Coffer, shared: Shared) => Promise<void>,
): Promise<number> {
  const text = onlyShared(context, command);
  const format = chooseFormat(context, formats);
  const coffer = await connect(context);
  const shared = await findShared(coffer, context, text);
  await change(coffer, shared);
  context.stdout.write(formatOne(fieldsOf(await coffer.acls.get(shared)), format));
  return exitCodes.done;
}

function someUsers(context: CommandContext, command: string): readonly string[] {
  const users = listFlag(context, 'user');
  if (users.length === 0) throw new UsageError(`${command} needs --user ID, once or more`);
  return users;
}

async function show(context: CommandContext): Promise<number> {
  return await changeAndShow(context, 'acl show', async () => {});
}

async function set(context: CommandContext): Promise<number> {
  const users = listFlag(context, 'user');
  const isPrivate = context.values['private'] === true;
  if (isPrivate === (context.values['open'] === true)) {
    throw new UsageError('acl set needs --private or --open: whether the project may read it');
  }
  return await changeAndShow(context, 'acl set', async (coffer, shared) => {
    await coffer.acls.replace(shared, { projectAccess: !isPrivate, users });
  });
}

async function grant(context: CommandContext): Promise<number> {
  const users = someUsers(context, 'acl grant');
  return await changeAndShow(context, 'acl grant', async (coffer, shared) => {
    const { users: before } = await coffer.acls.get(shared);
    await coffer.acls.change(shared, { users: [...new Set([...before, ...users])] });
  });
}

async function revoke(context: CommandContext): Promise<number> {
  const users = someUsers(context, 'acl revoke');
  return await changeAndShow(context, 'acl revoke', async (coffer, shared) => {
    const { users: before } = await coffer.acls.get(shared);
    const left = before.filter((user) => !users.includes(user));
    if (left.length < before.length) await coffer.acls.change(shared, { users: left });
  });
}

async function remove(context: CommandContext): Promise<number> {
  return await changeAndShow(context, 'acl delete', async (coffer, shared) => {
    await coffer.acls.delete(shared);
  });
}

const common: Flags = { ...containerFlag, ...outputFlag(formats), ...connectionFlags };

export const commands: readonly Command[] = [
  {
    name: 'acl show',
    summary: 'Show who may read a secret or a container beside its project.',
    usage: 'ID|NAME [flags]',
    example: 'coffer acl show db-password',
    flags: common,
    run: show,
  },
  {
    name: 'acl set',
    summary: 'Say anew who may read it: these users and no others, and whether its project may.',
    usage: 'ID|NAME --private|--open [--user ID]… [flags]',
    example: 'coffer acl set db-password --private --user 9b1f0c6d2e3a4b5c8d7e6f5a4b3c2d1e',
    flags: {
      ...userFlag,
      private: { type: 'boolean', description: 'Not its project: its maker, these users, administrators.' },
      open: { type: 'boolean', description: 'Its project too, as roles have it.' },
      ...common,
    },
    run: set,
  },
  {
    name: 'acl grant',
    summary: 'Let more users read it.',
    usage: 'ID|NAME --user ID… [flags]',
    example: 'coffer acl grant db-password --user 9b1f0c6d2e3a4b5c8d7e6f5a4b3c2d1e',
    flags: { ...userFlag, ...common },
    run: grant,
  },
  {
    name: 'acl revoke',
    summary: 'Take users off its ACL; at once on every server.',
    usage: 'ID|NAME --user ID… [flags]',
    example: 'coffer acl revoke db-password --user 9b1f0c6d2e3a4b5c8d7e6f5a4b3c2d1e',
    flags: { ...userFlag, ...common },
    run: revoke,
  },
  {
    name: 'acl delete',
    summary: 'Go back to the default: its project as roles have it, and nobody else.',
    usage: 'ID|NAME [flags]',
    example: 'coffer acl delete 3b6c1a52-7d5e-4f0a-9c1b-2a3d4e5f6071 --container',
    flags: common,
    run: remove,
  },
];
