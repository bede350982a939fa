import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Command, type CommandContext, UsageError } from '../../src/cli/command.ts';
import { type Nouns, VERSION } from '../../src/cli/command-line.ts';
import { nouns as everyNoun } from '../../src/cli/commands.ts';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { CofferError, PinRefused, ProjectGone, StoreAway } from '../../src/errors.ts';
import { runCoffer } from './run-coffer.ts';

function makeNouns(run: (context: CommandContext) => unknown = () => 0): { nouns: Nouns; loaded: string[] } {
  const loaded: string[] = [];
  const command = (name: string, flags: Command['flags'] = {}): Command => ({
    name,
    summary: `Summary of ${name}.`,
    usage: '[NAME] [flags]',
    example: `coffer ${name} example`,
    flags,
    run: async (context) => {
      const result = await run(context);
      if (typeof result === 'number') return result;
      context.stdout.write(JSON.stringify({ name, ...(result as object) }));
      return 0;
    },
  });
  const module = (noun: string, ...commands: Command[]) => {
    return async () => {
      loaded.push(noun);
      return { commands };
    };
  };
  const output = { output: { type: 'string', short: 'o', description: 'Format.' } } as const;
  const many = { role: { type: 'string', multiple: true, description: 'A role.' } } as const;
  const force = { force: { type: 'boolean', description: 'Go on.' } } as const;
  const nouns = {
    secret: module('secret', command('secret get', { ...output, ...force }), command('secret list', output)),
    user: module('user', command('user create', many)),
    run: module('run', command('run', output)),
  };
  return { nouns, loaded };
}

const echo = ({ values, positionals, rest }: CommandContext) => ({
  values: { ...values },
  positionals,
  rest,
});
const said = async (...argv: string[]) => JSON.parse((await runCoffer(argv, makeNouns(echo))).stdout);

describe('a command line', () => {
  it('takes flags anywhere', async () => {
    const expected = { name: 'secret get', values: { output: 'json' }, positionals: ['x'] };
    expect(await said('secret', 'get', 'x', '-o', 'json')).toEqual(expected);
    expect(await said('secret', 'get', '--output=json', 'x')).toEqual(expected);
    expect(await said('secret', '-o', 'json', 'get', 'x')).toEqual(expected);
    expect(await said('-ojson', 'secret', 'get', 'x')).toEqual(expected);
    expect(await said('--output', 'json', 'secret', 'get', 'x')).toEqual(expected);
  });

  it('takes a repeated flag where a list is meant', async () => {
    const { values } = await said('user', 'create', '--role', 'a', 'n', '--role', 'b');
    expect(values).toEqual({ role: ['a', 'b'] });
  });

  it('ends its flags at -- and hands the rest on untouched', async () => {
    expect(await said('run', '-o', 'json', '--', 'sh', '-c', '--help', '--', '-o')).toMatchObject({
      values: { output: 'json' },
      positionals: [],
      rest: ['sh', '-c', '--help', '--', '-o'],
    });
    expect(await said('run', '--')).toMatchObject({ rest: [] });
    expect(await said('run')).not.toHaveProperty('rest');
  });

  it('loads the file of the noun alone', async () => {
    const { nouns, loaded } = makeNouns();
    await runCoffer(['secret', 'list'], { nouns });
    expect(loaded).toEqual(['secret']);
  });

  it.each([
    [['nonsense'], 'There is no such command. There are: secret, user, run'],
    [['constructor'], 'There is no such command'],
    [['secret'], "'secret' needs a verb: secret get, secret list"],
    [['secret', 'gte', 'x'], "'secret' needs a verb"],
    [
      ['secret', 'get', '--nope=canary'],
      'secret get: --nope is no flag of it. See: coffer secret get --help',
    ],
    [['secret', 'get', '-x'], 'secret get: -x is no flag of it'],
    [['secret', 'get', '--output'], 'needs a value or takes none'],
    [['secret', 'get', '--force=canary'], '--force needs a value or takes none'],
  ])('ends with 64 and says what to type: %j', async (argv, message) => {
    const { code, stdout, stderr } = await runCoffer(argv, makeNouns());
    expect(code).toBe(64);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^coffer: [^\n]+\n$/);
    expect(stdout + stderr).not.toContain('canary');
  });

  it('without a command shows the commands on stderr, and ends with 64', async () => {
    const { code, stdout, stderr } = await runCoffer([], makeNouns());
    expect([code, stdout]).toEqual([64, '']);
    expect(stderr).toContain('secret list');
  });

  it('tells its version, that of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(VERSION).toBe(version);
    for (const flag of ['--version', '-V']) {
      expect(await runCoffer([flag], makeNouns())).toEqual({
        code: 0,
        stdout: `coffer ${version}\n`,
        stderr: '',
      });
    }
  });
});

describe('help', () => {
  it.each([[['--help']], [['-h']], [['help']]])('of everything: %j', async (argv) => {
    const { code, stdout } = await runCoffer(argv, makeNouns());
    expect(code).toBe(0);
    expect(stdout).toContain('secret get   Summary of secret get.');
    expect(stdout).toContain('Example:');
  });

  it.each([[['secret', '--help']], [['help', 'secret']]])('of a noun: %j', async (argv) => {
    const { code, stdout } = await runCoffer(argv, makeNouns());
    expect(code).toBe(0);
    expect(stdout).toContain('secret list  Summary');
    expect(stdout).not.toContain('user create');
  });

  it.each([[['secret', 'get', '-h']], [['--help', 'secret', 'get']], [['help', 'secret', 'get']]])(
    'of a command, with an example, and the command does not run: %j',
    async (argv) => {
      const { code, stdout } = await runCoffer(
        argv,
        makeNouns(() => 1),
      );
      expect(code).toBe(0);
      expect(stdout).toContain('Usage: coffer secret get [NAME] [flags]');
      expect(stdout).toContain('-o, --output VALUE');
      expect(stdout).toContain('  coffer secret get example');
    },
  );

  it('has a summary and an example of every command, and no flag of two types', async () => {
    const types = new Map<string, string>();
    for (const [noun, load] of Object.entries(everyNoun)) {
      for (const { name, summary, example, flags } of (await load()).commands) {
        expect(name.split(' ')[0]).toBe(noun);
        expect(summary, name).toMatch(/\.$/);
        expect(example, name).toContain(`coffer ${name}`);
        for (const [flag, { type, short, description }] of Object.entries(flags)) {
          expect(description, `${name} --${flag}`).toMatch(/\.$/);
          expect(['help', 'h']).not.toContain(short ?? flag);
          expect(types.get(flag) ?? type, `--${flag}`).toBe(type);
          types.set(flag, type);
        }
      }
    }
  });
});

describe('what a command throws', () => {
  const thrower = (error: Error) => () => {
    throw error;
  };
  const sdkError = (status?: number, code = 'x') => {
    return Object.assign(new Error('from the server'), { name: 'CofferError', status, code });
  };

  it.each([
    [new UsageError('type that'), 64],
    [new CofferError('configuration', 'set this'), 78],
    [new CofferError('not_found', 'no such thing'), 3],
    [new CofferError('bad_request', 'wrong'), 2],
    [new CofferError('payload_too_large', 'long'), 2],
    [new CofferError('unauthorized', 'who?'), 4],
    [new CofferError('forbidden', 'no'), 5],
    [new CofferError('conflict', 'taken'), 6],
    [new CofferError('unavailable', 'later'), 8],
    [new CofferError('integrity_violation', 'broken'), 1],
    [sdkError(400), 2],
    [sdkError(401), 4],
    [sdkError(403), 5],
    [sdkError(404), 3],
    [sdkError(409), 6],
    [new StoreAway(), 8],
    [new ProjectGone(), 3],
    [sdkError(413), 2],
    [sdkError(429), 7],
    [sdkError(500), 1],
    [sdkError(503), 8],
    [sdkError(undefined, 'network'), 8],
    [sdkError(undefined, 'timeout'), 8],
  ])('becomes one line on stderr and its exit code: %s', async (error, expected) => {
    const { code, stderr } = await runCoffer(['run'], makeNouns(thrower(error)));
    expect(code).toBe(expected);
    expect(stderr).toBe(`coffer: ${error.message}\n`);
  });

  it('is told by what is behind a store that is away', async () => {
    const away = new CofferError('unavailable', 'No token is there.');
    const { code, stderr } = await runCoffer(['run'], makeNouns(thrower(new StoreAway(away))));
    expect([code, stderr]).toEqual([8, 'coffer: No token is there.\n']);
  });

  it('never asks to try a wrong PIN again', async () => {
    const refused = new PinRefused('Wrong PIN.');
    for (const error of [refused, new StoreAway(refused)]) {
      const { code, stderr } = await runCoffer(['run'], makeNouns(thrower(error)));
      expect([code, stderr]).toEqual([78, 'coffer: Wrong PIN.\n']);
    }
  });

  it('is called a defect with its stack, and ends with 1, when nobody expected it', async () => {
    const { code, stderr } = await runCoffer(['run'], makeNouns(thrower(new TypeError('oops'))));
    expect(code).toBe(1);
    expect(stderr).toContain('a defect of Coffer');
    expect(stderr).toContain('TypeError: oops\n    at ');
  });
});

describe('the README', () => {
  it('lists every exit code', () => {
    const table = /<!-- exit-codes -->([^]*?)<!-- \/exit-codes -->/.exec(
      readFileSync('README.md', 'utf8'),
    )?.[1];
    const listed = [...(table ?? '').matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(listed).toEqual(Object.values(exitCodes));
  });
});
