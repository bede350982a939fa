import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Coffer, CofferError, credentialsFromFile } from '../../src/client/index.ts';
import { type ScriptedServer, startScriptedServer } from './scripted-server.ts';

let folder: string;
let server: ScriptedServer;
beforeAll(async () => {
  server = await startScriptedServer((_seen, reply) => void reply.raw.end('value'));
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coffer-files-'));
  return () => rmSync(folder, { recursive: true });
});
afterAll(async () => await server.close());

const lines = (id: string, more = ''): string =>
  `# a comment\nCOFFER_URL=https://vault.example:9311\nOS_APPLICATION_CREDENTIAL_ID=${id}\nOS_APPLICATION_CREDENTIAL_SECRET=s\n${more}`;

function write(path: string, text: string, mode = 0o600): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

const idIn = (env: Record<string, string>): unknown => {
  const found = credentialsFromFile({ HOME: join(folder, 'home'), ...env });
  return found?.type === 'application_credential' ? found.id : found;
};

function refusalOf(env: Record<string, string>): CofferError {
  try {
    credentialsFromFile(env);
  } catch (error) {
    if (error instanceof CofferError) return error;
  }
  throw new Error('it was not refused');
}

describe('a credential file', () => {
  it('is the one named, else that of systemd, else the one in the home', () => {
    const named = write('named', lines('named'));
    write('systemd/coffer', lines('systemd'));
    write('config/coffer/credential', lines('config'));
    write('home/.config/coffer/credential', lines('home'));
    const directory = { CREDENTIALS_DIRECTORY: join(folder, 'systemd') };
    const config = { XDG_CONFIG_HOME: join(folder, 'config') };
    expect(idIn({})).toBe('home');
    expect(idIn(config)).toBe('config');
    expect(idIn({ ...config, ...directory })).toBe('systemd');
    expect(idIn({ ...config, ...directory, COFFER_CREDENTIAL_FILE: named })).toBe('named');
    expect(idIn({ ...config, CREDENTIALS_DIRECTORY: join(folder, 'nothing') })).toBe('config');
    expect(idIn({ HOME: join(folder, 'nobody') })).toBeUndefined();
    expect(credentialsFromFile({})).toBeUndefined();
  });

  it('is refused when others may read it, but for the group of a systemd service', () => {
    for (const mode of [0o640, 0o604, 0o644, 0o620]) {
      const file = write('open', lines('open'), mode);
      expect(refusalOf({ COFFER_CREDENTIAL_FILE: file }).message).toContain('others may read');
      write('home/.config/coffer/credential', lines('home'), mode);
      expect(refusalOf({ HOME: join(folder, 'home') }).code).toBe('configuration');
    }
    const directory = { CREDENTIALS_DIRECTORY: join(folder, 'systemd') };
    write('systemd/coffer', lines('systemd'), 0o440);
    expect(idIn(directory)).toBe('systemd');
    write('systemd/coffer', lines('systemd'), 0o444);
    expect(refusalOf(directory).code).toBe('configuration');
  });

  it('that was named must be there, and hold credentials', () => {
    const missing = refusalOf({ COFFER_CREDENTIAL_FILE: join(folder, 'missing') });
    expect([missing.code, missing.message]).toEqual(['configuration', expect.stringContaining('ENOENT')]);
    for (const text of ['', 'nothing\n', 'COFFER_URL=https://x\n', '{"id":"x","secret":"canary"}']) {
      const refusal = refusalOf({ COFFER_CREDENTIAL_FILE: write('empty', text) });
      expect(refusal.message).toContain('holds no credentials');
      expect(refusal.message).not.toContain('canary');
    }
    expect(refusalOf({ COFFER_CREDENTIAL_FILE: folder }).code).toBe('configuration');
  });

  it('may be written as shells take it', () => {
    const text =
      "export COFFER_URL='https://vault.example:9311'\r\n  OS_APPLICATION_CREDENTIAL_ID=\"an id\"\nOS_APPLICATION_CREDENTIAL_SECRET=a=b#c'd\n";
    expect(credentialsFromFile({ COFFER_CREDENTIAL_FILE: write('quoted', text) })).toMatchObject({
      id: 'an id',
      secret: "a=b#c'd",
      url: 'https://vault.example:9311',
    });
  });

  it('goes to its own server alone', () => {
    const env = { COFFER_CREDENTIAL_FILE: write('one', lines('one')) };
    expect(idIn({ ...env, COFFER_URL: 'https://vault.example:9311/' })).toBe('one');
    expect(idIn({ ...env, COFFER_URL: 'https://other.example:9311' })).toBeUndefined();
    const withoutUrl = 'OS_APPLICATION_CREDENTIAL_ID=two\nOS_APPLICATION_CREDENTIAL_SECRET=s\n';
    const two = { COFFER_CREDENTIAL_FILE: write('two', withoutUrl) };
    expect(credentialsFromFile({ ...two, COFFER_URL: 'https://other.example' })).toMatchObject({
      id: 'two',
      url: 'https://other.example',
    });
  });
});

it('is what a client uses that is given nothing, after the environment', async () => {
  const own = `COFFER_URL=${server.url}\n${lines('from-file').split('\n').slice(2).join('\n')}`;
  vi.stubEnv('COFFER_CREDENTIAL_FILE', write('default', own));
  try {
    await new Coffer().login();
    expect(JSON.parse(server.logins().at(-1)?.body ?? '').auth.identity).toEqual({
      methods: ['application_credential'],
      application_credential: { id: 'from-file', secret: 's' },
    });
    vi.stubEnv('OS_AUTH_URL', `${server.url}/identity/v3`);
    vi.stubEnv('COFFER_URL', server.url);
    vi.stubEnv('OS_APPLICATION_CREDENTIAL_ID', 'from-environment');
    vi.stubEnv('OS_APPLICATION_CREDENTIAL_SECRET', 's');
    await new Coffer().login();
    expect(server.logins().at(-1)?.body).toContain('from-environment');
  } finally {
    vi.unstubAllEnvs();
  }
});
