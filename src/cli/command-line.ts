import { parseArgs } from 'node:util';
import { CofferError, StoreAway } from '../errors.ts';
import { type Command, type CommandContext, type CommandModule, type Flags, UsageError } from './command.ts';
import { exitCodeOf, exitCodes, isExpected } from './exit-codes.ts';
import { describeAll, describeCommand, describeNoun } from './help.ts';

export type Nouns = Readonly<Record<string, () => Promise<CommandModule>>>;
export type Surroundings = Omit<CommandContext, 'values' | 'positionals' | 'rest'>;

/** Equal to the version of package.json; a test says so. */
export const VERSION = '0.1.0';

const helpFlag: Flags = { help: { type: 'boolean', short: 'h', description: 'Show this help.' } };

/**
 * Runs one command line and resolves to its exit code. Whatever is thrown becomes a line on stderr and a
 * code.
 */
export async function runCommandLine(
  argv: readonly string[],
  surroundings: Surroundings,
  nouns: Nouns,
): Promise<number> {
  try {
    return await dispatch(argv, surroundings, nouns);
  } catch (error) {
    surroundings.stderr.write(`coffer: ${explain(error)}\n`);
    return exitCodeOf(error);
  }
}

async function dispatch(argv: readonly string[], surroundings: Surroundings, nouns: Nouns): Promise<number> {
  const end = argv.indexOf('--');
  const before = end < 0 ? argv : argv.slice(0, end);
  const rest = end < 0 ? undefined : argv.slice(end + 1);
  const args = before[0] === 'help' ? [...before.slice(1), '--help'] : before;
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    surroundings.stdout.write(`coffer ${VERSION}\n`);
    return exitCodes.done;
  }

  const candidates = await loadCandidates(args, nouns);
  const words = findWords(args, candidates);
  const [noun, verb] = words;
  if (noun === undefined) return await answerWithoutNoun(args, surroundings, nouns);
  const commands = candidates.filter(({ name }) => name === noun.value || name.startsWith(`${noun.value} `));
  const withVerb = commands.find(({ name }) => name === `${noun.value} ${verb?.value}`);
  const command = withVerb ?? commands.find(({ name }) => name === noun.value);
  if (command === undefined) {
    if (asksForHelp(args)) {
      surroundings.stdout.write(describeNoun(noun.value, commands));
      return exitCodes.done;
    }
    throw new UsageError(`'${noun.value}' needs a verb: ${commands.map(({ name }) => name).join(', ')}`);
  }
  const own = withVerb === undefined ? [noun.index] : [noun.index, verb?.index];
  const { values, positionals } = parse(
    command,
    args.filter((_, index) => !own.includes(index)),
  );
  if (values['help'] === true) {
    surroundings.stdout.write(describeCommand(command));
    return exitCodes.done;
  }
  return await command.run({ ...surroundings, values, positionals, rest });
}

/** The commands that may be meant: those of the noun, or all when a flag comes before it. */
async function loadCandidates(args: readonly string[], nouns: Nouns): Promise<readonly Command[]> {
  const [first] = args;
  if (first === undefined) return [];
  if (!first.startsWith('-')) {
    const load = Object.hasOwn(nouns, first) ? nouns[first] : undefined;
    if (load === undefined) {
      throw new UsageError(`There is no such command. There are: ${Object.keys(nouns).join(', ')}`);
    }
    return (await load()).commands;
  }
  return await loadAll(nouns);
}

async function loadAll(nouns: Nouns): Promise<readonly Command[]> {
  const modules = await Promise.all(Object.values(nouns).map(async (load) => await load()));
  return modules.flatMap(({ commands }) => commands);
}

/**
 * The words that are neither flags nor their values; which flags take a value is known from all candidates.
 */
function findWords(
  args: readonly string[],
  candidates: readonly Command[],
): { value: string; index: number }[] {
  const options = optionsOf(Object.assign({}, ...candidates.map(({ flags }) => flags), helpFlag) as Flags);
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  return tokens.filter((token) => token.kind === 'positional');
}

async function answerWithoutNoun(
  args: readonly string[],
  { stdout, stderr }: Surroundings,
  nouns: Nouns,
): Promise<number> {
  const help = describeAll(await loadAll(nouns));
  if (asksForHelp(args)) {
    stdout.write(help);
    return exitCodes.done;
  }
  stderr.write(help);
  return exitCodes.usage;
}

function asksForHelp(args: readonly string[]): boolean {
  return args.includes('--help') || args.includes('-h');
}

function parse(command: Command, args: string[]): Pick<CommandContext, 'values' | 'positionals'> {
  const options = optionsOf({ ...command.flags, ...helpFlag });
  try {
    const { values, positionals } = parseArgs({ args, options, strict: true, allowPositionals: true });
    return { values: values as CommandContext['values'], positionals };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // Of parseArgs' own text only the flag's name: what follows it may be a value that nobody should print.
    const flag = /'((?:-\w, )?--?[\w-]+)/.exec(error.message)?.[1] ?? 'a flag';
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? 'is no flag of it' : 'needs a value or takes none';
    throw new UsageError(`${command.name}: ${flag} ${why}. See: coffer ${command.name} --help`);
  }
}

function optionsOf(flags: Flags) {
  const options = Object.entries(flags).map(([name, { type, short, multiple }]) => {
    return [name, { type, ...(short && { short }), ...(multiple && { multiple }) }] as const;
  });
  return Object.fromEntries(options);
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return `stopped by ${typeof error}`;
  if (error instanceof UsageError) return error.message;
  // Which store and why is not for clients of a server; here it is what helps.
  if (error instanceof StoreAway && error.cause instanceof CofferError) return error.cause.message;
  if (isExpected(error)) return error.message || String((error as { code?: unknown }).code);
  return `this is a defect of Coffer; please report it. ${error.stack ?? error.message}`;
}
