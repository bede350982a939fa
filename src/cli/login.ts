import { type Credentials, credentialsFromEnvironment } from '../client/index.ts';
import { type Command, type CommandContext, stringFlag, UsageError } from './command.ts';
import { connect, connectionFlags, flaggedEnvironment } from './connection.ts';
import { exitCodes } from './exit-codes.ts';
import { readHidden } from './hidden-input.ts';
import { chooseFormat, type Format, formatOne, outputFlag } from './output.ts';
import { redeem, redemptionFlags } from './redeem.ts';
import { tokenPath, writeStoredToken } from './stored-token.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env'];
const DEFAULT_URL = 'http://127.0.0.1:9311';

/** Flags stand for the variables of the same meaning, so that both are read in one place. */
const variables = {
  user: 'OS_USERNAME',
  project: 'OS_PROJECT_NAME',
  'user-domain': 'OS_USER_DOMAIN_NAME',
  'project-domain': 'OS_PROJECT_DOMAIN_NAME',
} as const;

async function credentialsOf(context: CommandContext): Promise<Credentials> {
  const env: Record<string, string | undefined> = { ...flaggedEnvironment(context) };
  for (const [flag, variable] of Object.entries(variables)) {
    env[variable] = stringFlag(context, flag) ?? env[variable];
  }
  if (!env['COFFER_URL'] && !env['OS_AUTH_URL']) env['COFFER_URL'] = DEFAULT_URL;
  // who names a user means to log in as that user, not as the token or password of the environment
  const named = stringFlag(context, 'user');
  const given = named === undefined || named === context.env['OS_USERNAME'];
  const found = given ? credentialsFromEnvironment(env) : undefined;
  if (found !== undefined) return found;
  if (!env['OS_USERNAME'] && !env['OS_USER_ID']) {
    throw new UsageError('who logs in? coffer login --user NAME --project NAME, or set OS_USERNAME');
  }
  const user = env['OS_USERNAME'] ?? env['OS_USER_ID'];
  env['OS_PASSWORD'] = await readHidden(context, `Password of ${user}: `);
  if (env['OS_PASSWORD'] === '')
    throw new UsageError('the password is empty: type it at the prompt or pipe it in');
  env['OS_AUTH_TYPE'] = 'password';
  const typed = credentialsFromEnvironment(env);
  if (typed === undefined) throw new UsageError('who logs in? coffer login --user NAME --project NAME');
  return typed;
}

async function run(context: CommandContext): Promise<number> {
  if (context.values['redeem'] === true) return await redeem(context);
  if (context.positionals.length > 0) {
    throw new UsageError(
      'login takes flags alone, and a password never from an argument: see coffer login --help',
    );
  }
  const format = chooseFormat(context, formats);
  const credentials = await credentialsOf(context);
  const coffer = await connect(context, () => credentials);
  const login = await coffer.login();
  const path = tokenPath(context.env);
  const shown = {
    url: login.url,
    user: login.userName ?? null,
    project: login.projectName ?? null,
    expires_at: login.expiresAt?.toISOString() ?? null,
  };
  await writeStoredToken(path, {
    ...shown,
    auth_url: credentials.authUrl ?? `${login.url}/identity/v3`,
    token: login.token.text(),
    user_id: credentials.type === 'password' ? (credentials.userId ?? null) : null,
    project_id: login.projectId ?? null,
    allow_insecure: credentials.allowInsecure ?? false,
  });
  context.stdout.write(formatOne({ ...shown, token_file: path }, format));
  return exitCodes.done;
}

export const commands: readonly Command[] = [
  {
    name: 'login',
    summary: "Log in and keep the token; or keep an application's credential, redeemed for a code.",
    usage: '[flags]',
    example:
      'coffer login --url https://vault.example:9311 --user demo --project demo\n' +
      "coffer login --redeem   # a code of 'coffer app create', asked for or piped in",
    flags: {
      ...connectionFlags,
      user: { type: 'string', description: 'The user; else OS_USERNAME.', placeholder: 'NAME' },
      project: { type: 'string', description: 'The project; else OS_PROJECT_NAME.', placeholder: 'NAME' },
      'user-domain': { type: 'string', description: "The user's domain; else Default.", placeholder: 'NAME' },
      'project-domain': {
        type: 'string',
        description: "The project's domain; else Default.",
        placeholder: 'NAME',
      },
      ...redemptionFlags,
      ...outputFlag(formats),
    },
    run,
  },
];
