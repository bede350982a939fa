import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type Nouns, runCommandLine } from '../../src/cli/command-line.ts';
import { nouns as everyNoun } from '../../src/cli/commands.ts';

interface Given {
  env?: Record<string, string>;
  cwd?: string;
  stdin?: string;
  stdoutIsTerminal?: boolean;
  nouns?: Nouns;
}

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs one command line in this process, as `main.ts` does. */
export async function runCoffer(argv: readonly string[], given: Given = {}): Promise<Ended> {
  const { env = {}, cwd = process.cwd(), stdin = '', stdoutIsTerminal = false, nouns = everyNoun } = given;
  const stdout = Object.assign(new PassThrough(), { isTTY: stdoutIsTerminal });
  const stderr = new PassThrough();
  const outputs = Promise.all([text(stdout), text(stderr)]);
  const surroundings = { env, cwd, stdin: Readable.from([Buffer.from(stdin)]), stdout, stderr };
  const code = await runCommandLine(argv, surroundings, nouns);
  stdout.end();
  stderr.end();
  const [out, err] = await outputs;
  return { code, stdout: out, stderr: err };
}
