import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKeyring } from '../../src/keyring/master-keys.ts';
import { runCoffer } from './run-coffer.ts';

let cwd: string;

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'coffer-cli-'));
});
afterAll(() => {
  rmSync(cwd, { recursive: true, force: true });
});

describe('coffer config', () => {
  const env = { COFFER_DATABASE_URL: 'postgresql://coffer:canary@db/coffer', COFFER_REGION: 'north' };

  it('shows each value, its origin and no secret: a table on a terminal, JSON on a pipe', async () => {
    const piped = await runCoffer(['config', '--policy', 'secure'], { env, cwd });
    expect(piped.code).toBe(0);
    const shown = JSON.parse(piped.stdout) as unknown[];
    expect(shown).toContainEqual({ setting: 'COFFER_REGION', value: 'north', from: 'environment' });
    expect(shown).toContainEqual({ setting: 'COFFER_POLICY', value: 'secure', from: 'flag --policy' });
    expect(shown).toContainEqual({ setting: 'COFFER_LISTEN', value: '127.0.0.1:9311', from: 'default' });

    const table = await runCoffer(['config'], { env, cwd, stdoutIsTerminal: true });
    expect(table.stdout).toMatch(/^SETTING +VALUE +FROM/);
    expect(table.stdout).toMatch(/COFFER_DATABASE_URL +postgresql:\/\/coffer:\*\*\*@db\/coffer +environment/);
    expect(piped.stdout + table.stdout).not.toContain('canary');
  });

  it('prints lines that a settings file takes', async () => {
    const { stdout } = await runCoffer(['config', '-o', 'env'], { env: { COFFER_REGION: 'north' }, cwd });
    expect(stdout).toContain('COFFER_REGION=north\n');
    expect(stdout).not.toContain('COFFER_DATABASE_URL');
  });

  it('lists all problems at once and ends with 78', async () => {
    const { code, stderr, stdout } = await runCoffer(['config', '--listen', 'x', '--policy', 'y'], { cwd });
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toContain('COFFER_LISTEN: is HOST:PORT');
    expect(stderr).toContain('COFFER_POLICY: is one of stock, secure');
  });

  it('refuses a format that it does not have, with 64', async () => {
    expect((await runCoffer(['config', '-o', 'raw'], { cwd })).code).toBe(64);
    expect((await runCoffer(['config', '-o', 'constructor'], { cwd })).code).toBe(64);
  });
});

describe('coffer keyring create', () => {
  it('makes a keyring that opens, mode 0600, and never overwrites it', async () => {
    const { code, stdout } = await runCoffer(['keyring', 'create', 'new-keys'], { cwd });
    const path = join(cwd, 'new-keys');
    expect(code).toBe(0);
    expect(stdout).toContain(`Made the keyring ${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const before = readFileSync(path);
    const { keys, activeId } = parseKeyring(path, before);
    expect([...keys.keys()]).toEqual([activeId]);

    const again = await runCoffer(['keyring', 'create', 'new-keys'], { cwd });
    expect(again.code).toBe(78);
    expect(again.stderr).toContain('exists already');
    expect(readFileSync(path)).toEqual(before);
  });

  it('takes the path of the settings, and refuses one inside the data directory', async () => {
    const env = { COFFER_KEYRING_FILE: 'from-env' };
    expect((await runCoffer(['keyring', 'create'], { cwd, env })).stdout).toContain(join(cwd, 'from-env'));
    const { code, stderr } = await runCoffer(['keyring', 'create', 'data/keys'], { cwd });
    expect(code).toBe(78);
    expect(stderr).toContain('inside the data directory');
  });

  it('prints no key', async () => {
    const { stdout, stderr } = await runCoffer(['keyring', 'create', 'quiet'], { cwd });
    const [, key = ''] = /^key \S+ (\S+) active$/m.exec(readFileSync(join(cwd, 'quiet'), 'utf8')) ?? [];
    expect(key).not.toBe('');
    expect(stdout + stderr).not.toContain(key);
  });
});

describe('keys.example', () => {
  it('is refused as it stands, and opens once its zeros are replaced', () => {
    const example = readFileSync('keys.example', 'utf8');
    expect(() => parseKeyring('keys.example', Buffer.from(example))).toThrow('not all zero');
    const { keys, activeId } = parseKeyring(
      'keys',
      Buffer.from(example.replaceAll(/^([ik].* )0+/gm, replaceZeros)),
    );
    expect([...keys.keys()]).toEqual([activeId]);
  });
});

function replaceZeros(line: string): string {
  return line.replaceAll(/0(?=0*$)/g, 'a');
}
