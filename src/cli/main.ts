#!/usr/bin/env node
import { runCommandLine } from './command-line.ts';
import { nouns } from './commands.ts';

// Whoever reads us may stop reading, as `head` does: that is the end, and no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

// A server outlives the terminal that it was started from.
process.stderr.on('error', () => {});

const { env, stdin, stdout, stderr } = process;
const surroundings = { env, cwd: process.cwd(), stdin, stdout, stderr };
process.exitCode = await runCommandLine(process.argv.slice(2), surroundings, nouns);
