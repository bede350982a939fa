import type { Command, Flag } from './command.ts';

export function describeAll(commands: readonly Command[]): string {
  return lines(
    'Usage: coffer COMMAND [flags]',
    '',
    'Secrets as a service that you run yourself.',
    '',
    'Commands:',
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    '',
    'Example:',
    '  coffer serve',
    '',
    'Each command explains itself: coffer COMMAND --help',
  );
}

export function describeNoun(noun: string, commands: readonly Command[]): string {
  return lines(
    `Usage: coffer ${noun} VERB [flags]`,
    '',
    'Commands:',
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    '',
    'Example:',
    ...commands.slice(0, 1).map(({ example }) => `  ${example}`),
  );
}

export function describeCommand(command: Command): string {
  const flags = Object.entries(command.flags).map(([name, flag]) => [
    describeFlag(name, flag),
    flag.description,
  ]);
  return lines(
    `Usage: coffer ${command.name} ${command.usage}`.trimEnd(),
    '',
    command.summary,
    '',
    'Flags:',
    ...columns([...flags, ['-h, --help', 'Show this help.']]),
    '',
    'Example:',
    ...command.example.split('\n').map((line) => `  ${line}`),
  );
}

function describeFlag(name: string, flag: Flag): string {
  const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
  const value = flag.type === 'string' ? ` ${flag.placeholder ?? 'VALUE'}` : '';
  return `${short}--${name}${value}${flag.multiple ? ' …' : ''}`;
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const width = Math.max(...rows.map(([first = '']) => first.length));
  return rows.map(([first = '', second = '']) => `  ${first.padEnd(width)}  ${second}`);
}

function lines(...all: string[]): string {
  return `${all.join('\n')}\n`;
}
