import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { type Coffer, CofferError } from '../client/index.ts';
import { type Command, type CommandContext, listFlag, UsageError } from './command.ts';
import { connect, connectionFlags } from './connection.ts';
import { findSecret } from './secret-lookup.ts';

const exits = { notExecutable: 126, notFound: 127, signalled: 128 };

/** Signals that end or steer a server; they are passed on to the child, which decides. */
const forwarded = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;
/** Those that a terminal sends to the child itself, along with this process. */
const sentByTerminal: readonly string[] = ['SIGINT', 'SIGQUIT', 'SIGWINCH'];

interface Wish {
  variable: string;
  secret: string;
}

function parseWishes(context: CommandContext): Wish[] {
  const wishes = listFlag(context, 'secret').map((text) => {
    const [, variable, secret] = /^([A-Za-z_][A-Za-z0-9_]*)=(.+)$/s.exec(text) ?? [];
    if (variable === undefined || secret === undefined) {
      throw new UsageError('--secret takes VARIABLE=ID, as --secret DB_PASSWORD=db-password');
    }
    return { variable, secret };
  });
  if (wishes.length === 0) throw new UsageError('which secrets? coffer run --secret VARIABLE=ID -- command');
  const twice = wishes.find(
    (wish, at) => wishes.findIndex(({ variable }) => variable === wish.variable) !== at,
  );
  if (twice !== undefined) throw new UsageError(`--secret ${twice.variable} is given twice`);
  return wishes;
}

async function readWish(coffer: Coffer, { variable, secret }: Wish): Promise<[string, string]> {
  const { id } = await findSecret(coffer, secret);
  const value = await coffer.secrets.payload(id, { name: variable });
  const text = value.text();
  value.wipe();
  if (text.includes('\0')) {
    throw new CofferError('not_text', `the value of ${variable} holds NUL, which no variable can`);
  }
  return [variable, text];
}

/** Runs the program with our streams; resolves to what a shell would call its exit code. */
async function runProgram(
  context: CommandContext,
  [program = '', ...args]: readonly string[],
  env: Record<string, string | undefined>,
): Promise<number> {
  const { cwd } = context;
  const child = spawn(program, args, { cwd, env, stdio: 'inherit' });
  const passOn = (signal: NodeJS.Signals): void => {
    if (!(process.stdin.isTTY && sentByTerminal.includes(signal))) child.kill(signal);
  };
  for (const signal of forwarded) process.on(signal, passOn);
  try {
    return await new Promise<number>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        const missing = error.code === 'ENOENT';
        const why = missing ? 'there is no such program' : `it cannot be run (${error.code})`;
        context.stderr.write(`coffer: ${program}: ${why}\n`);
        resolve(missing ? exits.notFound : exits.notExecutable);
      });
      child.once('exit', (code, signal) => {
        resolve(code ?? exits.signalled + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  } finally {
    for (const signal of forwarded) process.off(signal, passOn);
  }
}

async function run(context: CommandContext): Promise<number> {
  const wishes = parseWishes(context);
  if (context.positionals.length > 0 || !context.rest?.[0]) {
    throw new UsageError('what runs? Put it behind two dashes: coffer run --secret VARIABLE=ID -- command');
  }
  const coffer = await connect(context);
  const values = await Promise.all(wishes.map((wish) => readWish(coffer, wish)));
  return runProgram(context, context.rest, { ...context.env, ...Object.fromEntries(values) });
}

export const commands: readonly Command[] = [
  {
    name: 'run',
    summary: 'Run a program with secrets in its environment; ends with the exit code of the program.',
    usage: '--secret VARIABLE=ID|NAME … [flags] -- PROGRAM [ARGUMENT …]',
    example: 'coffer run --secret SECRET_KEY=django-key -- gunicorn app.wsgi',
    flags: {
      secret: {
        type: 'string',
        short: 's',
        multiple: true,
        description: 'Set this variable to the value of this secret.',
        placeholder: 'VARIABLE=ID',
      },
      ...connectionFlags,
    },
    run,
  },
];
