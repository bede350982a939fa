import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askForShares } from '../../src/cli/share-input.ts';
import { wipe } from '../../src/crypto/envelope.ts';
import { readKeyring, readKeyringFile } from '../../src/keyring/keyring-file.ts';
import { parseShare } from '../../src/keyring/shares.ts';
import { combinePoints } from '../../src/crypto/secret-sharing.ts';
import { findSplitKeyring, splitKeyringAt } from '../../src/keyring/split-file.ts';
import { nameOfSet } from '../../src/keyring/split-keyring.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let cwd: string;

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'coffer-cli-'));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const run = async (line: string, given: Parameters<typeof runCoffer>[1] = {}): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd, ...given });

/** The master keys that these shares open, as hexadecimal digits. */
async function keysOf(name: string, shares: readonly string[]): Promise<Record<string, string>> {
  const path = join(cwd, name);
  const parsed = shares.map(parseShare);
  const wrapping = new Map([[nameOfSet(parsed[0]!.setId), combinePoints(parsed)]]);
  const { keys } = await readKeyring(splitKeyringAt(path, wrapping));
  return Object.fromEntries([...keys].map(([id, key]) => [id, Buffer.from(key).toString('hex')]));
}

async function create(name: string, split = '2/3'): Promise<string[]> {
  const { stdout } = await run(`keyring create ${name} --split ${split} -o raw`);
  return stdout.trim().split('\n');
}

const leftovers = (): string[] => readdirSync(cwd).filter((name) => /\.[0-9a-f]{12}$/.test(name));

describe('coffer keyring create --split', () => {
  it('makes a keyring, mode 0600, that any so many of its shares open, and prints these once', async () => {
    const { code, stdout, stderr } = await run('keyring create three --split 3/5');
    expect([code, stderr]).toEqual([0, expect.stringContaining('fewer than 3 shares')]);
    const printed = JSON.parse(stdout) as { share: number; of: number; value: string }[];
    expect(printed.map(({ share, of }) => `${share}/${of}`)).toEqual(['1/5', '2/5', '3/5', '4/5', '5/5']);
    expect(statSync(join(cwd, 'three')).mode & 0o777).toBe(0o600);
    const shares = printed.map(({ value }) => value);
    const keys = await keysOf('three', shares.slice(0, 3));
    expect(Object.keys(keys)).toEqual([expect.stringMatching(/^mk-\d{4}-\d\d-\d\d$/)]);
    expect(await keysOf('three', shares.slice(2))).toEqual(keys);
    await expect(keysOf('three', shares.slice(3))).rejects.toThrow('does not open: it was altered');
    const file = readFileSync(join(cwd, 'three'), 'latin1');
    for (const key of Object.values(keys)) expect(file).not.toContain(key);
    expect(leftovers()).toEqual([]);
  });

  it('asks on a terminal to give each share to another person', async () => {
    const { stdout, stderr } = await run('keyring create two --split 2/2', { stdoutIsTerminal: true });
    expect(stderr).toContain('Give each share to another person');
    expect(stdout).toMatch(/^SHARE +OF +VALUE\n1 +2 +coffer-share-1-\S+\n2 +2 +coffer-share-1-\S+\n$/);
  });

  it.each(['5/3', '1/1', '0/0', '3', '3/256', 'x/y', '3/5/7'])(
    'refuses %s, and makes nothing',
    async (split) => {
      const { code, stdout, stderr } = await run(`keyring create none --split ${split}`);
      expect([code, stdout, stderr]).toEqual([64, '', expect.stringContaining('K/N, as 3/5')]);
      expect(existsSync(join(cwd, 'none'))).toBe(false);
    },
  );

  it('never overwrites a keyring, and prints no share where it makes none', async () => {
    writeFileSync(join(cwd, 'mine'), 'mine');
    for (const name of ['mine', 'no/such/folder']) {
      const { code, stdout } = await run(`keyring create ${name} --split 2/3`);
      expect([code, stdout]).toEqual([78, '']);
    }
    expect(readFileSync(join(cwd, 'mine'), 'utf8')).toBe('mine');
  });

  it('makes one for another store of an installation that is split, without its shares', async () => {
    await create('first');
    expect((await run('keyring create second --installation-of first')).code).toBe(0);
    const { installationId } = await readKeyringFile(join(cwd, 'second'));
    const first = await findSplitKeyring(join(cwd, 'first'));
    expect(Buffer.from(installationId)).toEqual(Buffer.from(first!.installationId));
  });
});

describe('coffer keyring split', () => {
  it('splits a keyring in clear, whose keys stay', async () => {
    await run('keyring create clear');
    const { keys } = await readKeyringFile(join(cwd, 'clear'));
    const before = [...keys].map(([id, key]) => [id, Buffer.from(key).toString('hex')]);
    chmodSync(join(cwd, 'clear'), 0o400);
    const { code, stdout, stderr } = await run('keyring split clear 2/4 -o raw');
    expect([code, stderr]).toEqual([0, expect.stringContaining('any 2 of 4 shares')]);
    const shares = stdout.trim().split('\n');
    expect(await keysOf('clear', shares.slice(2))).toEqual(Object.fromEntries(before));
    expect(statSync(join(cwd, 'clear')).mode & 0o777).toBe(0o400);
    await expect(readKeyringFile(join(cwd, 'clear'))).rejects.toThrow('is split: only its shares open it');
    expect(leftovers()).toEqual([]);
  });

  it('splits one anew with shares of before, which open nothing after it', async () => {
    const old = await create('again');
    const keys = await keysOf('again', old.slice(1));
    const stdin = old.slice(1).join('\n');
    const { code, stdout } = await run('keyring split again 2/2 -o raw --shares-from -', { stdin });
    expect(code).toBe(0);
    expect(await keysOf('again', stdout.trim().split('\n'))).toEqual(keys);
    await expect(keysOf('again', old.slice(1))).rejects.toThrow('only its new shares open it');
  });

  it('leaves one in clear that would be too long to be read again', async () => {
    await run('keyring create long');
    const content = `${readFileSync(join(cwd, 'long'), 'utf8')}${'# a comment\n'.repeat(3_000)}`;
    writeFileSync(join(cwd, 'long'), content);
    const { code, stdout, stderr } = await run('keyring split long 2/3');
    expect([code, stdout, stderr]).toEqual([78, '', expect.stringContaining('more lines than can be split')]);
    expect(readFileSync(join(cwd, 'long'), 'utf8')).toBe(content);
  });

  it('changes nothing without enough shares', async () => {
    const shares = await create('kept');
    const before = readFileSync(join(cwd, 'kept'));
    for (const [args, stdin, code, why] of [
      ['', '', 78, 'is split: any 2 of its 3 shares'],
      [' --shares-from -', shares[0]!, 78, 'needs 2 shares, and 1 were given'],
      [' --shares-from -', `${shares[0]}\n${shares[0]}`, 2, 'Share 1 was given already'],
      [' --shares-from -', `${shares[0]}\nnonsense`, 2, 'begins with coffer-share-1-'],
    ] as const) {
      const ended = await run(`keyring split kept 2/2${args}`, { stdin });
      expect([ended.code, ended.stdout, ended.stderr]).toEqual([code, '', expect.stringContaining(why)]);
      expect(ended.stderr).not.toContain(shares[0]!.slice(15, 30));
    }
    expect((await run('keyring split kept')).code).toBe(64);
    expect((await run('keyring split kept 2/2 more')).code).toBe(64);
    expect(readFileSync(join(cwd, 'kept'))).toEqual(before);
  });
});

describe('coffer config', () => {
  it('says on a terminal how a keyring is split, and elsewhere gives the path alone', async () => {
    await create('shown', '3/5');
    const args = 'config --keyring-file shown';
    expect((await run(args, { stdoutIsTerminal: true })).stdout).toMatch(/shown \(split 3\/5\) +flag/);
    expect((await run(`${args} -o env`)).stdout).toContain(`COFFER_KEYRING_FILE=${join(cwd, 'shown')}\n`);
    const stores = 'config --stores a=software:clear-not-there,b=software:shown';
    expect((await run(stores, { stdoutIsTerminal: true })).stdout).toContain('(b split 3/5)');
  });
});

describe('shares for a command', () => {
  /** A terminal at which this is typed. */
  function terminal(values: Record<string, string>, ...keys: string[]) {
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} });
    for (const key of keys) stdin.write(key);
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const context = { values, positionals: [], rest: undefined, env: {}, cwd, stdin, stdout, stderr };
    return { context, printed: () => String(stderr.read() ?? '') };
  }

  it('are typed hidden, and one that is mistyped is asked for again', async () => {
    const shares = await create('typed');
    const keyring = (await findSplitKeyring(join(cwd, 'typed')))!;
    const typed = [shares[2], 'nonsense', shares[2], shares[0]].map((share) => `${share}\r`);
    const { context, printed } = terminal({}, ...typed);
    const keys = await askForShares(context, [keyring]);
    expect(keys.size).toBe(1);
    wipe(...keys.values());
    const shown = printed();
    expect(shown.match(/Share \d of 2 \(not shown\): /g)).toEqual([
      'Share 1 of 2 (not shown): ',
      ...Array<string>(3).fill('Share 2 of 2 (not shown): '),
    ]);
    expect(shown).toContain('Share 3 was given already');
    for (const share of shares) expect(shown).not.toContain(share.slice(15, 22));
  });

  it('come from a file that others cannot read, with comments in it', async () => {
    const shares = await create('filed');
    const keyring = (await findSplitKeyring(join(cwd, 'filed')))!;
    writeFileSync(join(cwd, 'list'), `# of Ada\n${shares[1]}\r\n\n${shares[0]}\n`, { mode: 0o600 });
    const { context } = terminal({ 'shares-from': 'list' });
    expect((await askForShares(context, [keyring])).size).toBe(1);
    chmodSync(join(cwd, 'list'), 0o640);
    await expect(askForShares(context, [keyring])).rejects.toThrow('chmod 600');
    const { context: missing } = terminal({ 'shares-from': 'nowhere' });
    await expect(askForShares(missing, [keyring])).rejects.toThrow('cannot be read (ENOENT)');
  });
});

describe('coffer unseal', () => {
  let server: Server;
  let env: Record<string, string>;
  /** What the server was sent, and what it answers next. */
  const bodies: string[] = [];
  const answers: [number, object][] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        bodies.push(`${request.method} ${Buffer.concat(chunks).toString()}`);
        const [status, body] = answers.shift() ?? [500, {}];
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    env = { COFFER_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  });
  afterAll(() => void server.close());

  const sealed = (given: number): [number, object] => [200, { sealed: true, threshold: 3, given }];
  const unseal = async (stdin: string, script: [number, object][], line = 'unseal'): Promise<Ended> => {
    bodies.length = 0;
    answers.splice(0, answers.length, ...script);
    return await run(line, { env, stdin });
  };

  it('gives each line as a share, says how far it is, and stops when the server serves', async () => {
    const script = [sealed(1), sealed(2), [200, { sealed: false }]] as [number, object][];
    const { code, stdout, stderr } = await unseal('one\n\n# a comment\ntwo\nthree\n', script);
    expect([code, JSON.parse(stdout)]).toEqual([0, { sealed: 'no', given: null, threshold: null }]);
    expect(stderr).toContain('2/3 shares given');
    expect(bodies).toEqual(['GET ', 'POST {"share":"one"}', 'POST {"share":"two"}']);
  });

  it('gives nothing to a server that is not sealed, and is content when another was quicker', async () => {
    expect((await unseal('one', [[200, { sealed: false }]])).code).toBe(0);
    expect(bodies).toEqual(['GET ']);
    const script = [sealed(2), [409, { title: 'Conflict' }], [200, { sealed: false }]] as [number, object][];
    expect(await unseal('one', script)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('not sealed'),
    });
  });

  it.each([
    [[sealed(0), [400, { title: 'Bad Request', description: 'mistyped' }]], 2],
    [[sealed(0), [429, {}]], 7],
    [[sealed(2), [503, { title: 'Service Unavailable' }]], 8],
    [[[404, {}]], 3],
    [[[200, { open: true }]], 1],
    [[[302, {}]], 78],
  ] as [[number, object][], number][])(
    'ends with the code of what was answered: %#',
    async (script, expected) => {
      const { code, stdout, stderr } = await unseal('canary-share', script);
      expect([code, stdout]).toEqual([expected, '']);
      expect(stderr).not.toContain('canary-share');
    },
  );

  it('takes a share from no argument, and no share from nothing', async () => {
    const given = await unseal('', [], 'unseal coffer-share-1-canary');
    expect([given.code, given.stderr]).toEqual([64, expect.stringContaining('never an argument')]);
    expect(given.stderr).not.toContain('canary');
    expect(bodies).toEqual([]);
    expect(await unseal('\n', [sealed(0)])).toMatchObject({ code: 64 });
    expect((await unseal('', [sealed(0)], 'unseal --from-file nowhere')).code).toBe(64);
  });

  it('is refused over plain http to another machine, and reaches nobody where nobody listens', async () => {
    const other = await run('unseal --url http://secrets.example.org', { stdin: 'one' });
    expect([other.code, other.stderr]).toEqual([78, expect.stringContaining('in clear')]);
    const nobody = await run('unseal', {
      env: { COFFER_LISTEN: '0.0.0.0:1', COFFER_PUBLIC_URL: 'http://x.test' },
      stdin: 'one',
    });
    expect([nobody.code, nobody.stderr]).toEqual([8, expect.stringContaining('127.0.0.1:1')]);
  });
});
