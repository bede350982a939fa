import type { Readable, Writable } from 'node:stream';

/** One flag, as `parseArgs` of node:util takes it, with what `--help` says about it. */
export interface Flag {
  type: 'string' | 'boolean';
  short?: string;
  multiple?: boolean;
  description: string;
  /** What stands for the value in the help: `--limit NUMBER`. */
  placeholder?: string;
}

export type Flags = Readonly<Record<string, Flag>>;
type FlagValue = string | boolean | string[];

/** All that a command may touch of the process; a test hands it another one. */
export interface CommandContext {
  values: Readonly<Record<string, FlagValue | undefined>>;
  /** Without noun and verb, and without what follows `--`. */
  positionals: readonly string[];
  /** What follows `--`, untouched; undefined when there is no `--`. */
  rest: readonly string[] | undefined;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable & { isTTY?: boolean };
}

/**
 * One command. A file of `cli/` exports its commands as `commands`, and `cli/main.ts` names the file after
 * the noun: `secret.ts` holds 'secret store', 'secret get' …; `login.ts` holds 'login' alone.
 */
export interface Command {
  name: string;
  summary: string;
  /** What follows the name: `[NAME] [flags]`. */
  usage: string;
  example: string;
  flags: Flags;
  /**
   * Resolves to the exit code; throws `UsageError`, or an error that `exitCodeOf` knows, to end with its
   * code.
   */
  run(context: CommandContext): Promise<number>;
}

export interface CommandModule {
  commands: readonly Command[];
}

/** A command line that cannot be meant; its message says what to type instead. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

export function stringFlag(context: CommandContext, name: string): string | undefined {
  const value = context.values[name];
  return typeof value === 'string' ? value : undefined;
}

export function listFlag(context: CommandContext, name: string): readonly string[] {
  const value = context.values[name];
  if (Array.isArray(value)) return value;
  return typeof value === 'string' ? [value] : [];
}
