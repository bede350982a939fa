import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { makeKey } from '../identity/federation/test-issuer.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let coffer: StartedCoffer;
let cwd: string;
const ids: Record<string, string> = {};

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'coffer-record-'));
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  writeFileSync(join(cwd, 'jwks.json'), JSON.stringify({ keys: [makeKey().jwk] }));
  const { rows } = await coffer.installation.db.query<{ id: string; name: string }>({
    text: 'SELECT id, name FROM roles',
  });
  for (const { id, name } of rows) ids[name] = id;
});
afterAll(async () => {
  await coffer.stop();
  rmSync(cwd, { recursive: true });
});

const run = async (line: string): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd, env: coffer.env, stdin: 'correct horse battery' });

const filled = (template: string): string => template.replace(/<(\w+)>/g, (_, name) => ids[name] ?? '');

// In this order: each builds on what those before it made. The id that a command prints is kept under `as`.
it.each([
  ['project create shop', 'create_project', '<project>', 'project'],
  ['project set shop --description x', 'update_project', '<project>'],
  ['user create ada --project shop --role reader', 'create_user', '<user>', 'user'],
  ['user set ada --email ada@example.org', 'update_user', '<user>'],
  ['user password ada', 'change_password', '<user>'],
  [
    'role assign creator --user ada --project shop',
    'create_grant',
    'projects/<project>/users/<user>/roles/<creator>',
  ],
  [
    'role remove creator --user ada --project shop',
    'revoke_grant',
    'projects/<project>/users/<user>/roles/<creator>',
  ],
  ['role assign reader --user ada --system', 'create_grant', 'system/users/<user>/roles/<reader>'],
  ['role assign reader --user ada --domain', 'create_grant', 'domains/default/users/<user>/roles/<reader>'],
  ['user delete ada --yes', 'delete_user', '<user>'],
  ['app create web --project shop', 'create_application_credential', '<app>', 'app'],
  ['app revoke web --yes', 'revoke_token', '<app>'],
  ['app delete web --yes', 'delete_user', '<appUser>'],
  [
    'issuer create k8s --issuer https://issuer.example --jwks jwks.json --audience x --claims sub=x --project shop --role reader',
    'create_identity_provider',
    '<issuer>',
    'issuer',
  ],
  ['issuer set k8s --disable', 'update_identity_provider', '<issuer>'],
  ['issuer delete k8s --yes', 'delete_identity_provider', '<issuer>'],
  ['signing-key rotate', 'rotate_signing_key', '<key>', 'key'],
  ['project delete shop --yes', 'delete_project', '<project>'],
] as const)('puts on record: %s', async (line, action, subject, as?: string) => {
  const { code, stdout, stderr } = await run(as === undefined ? line : `${line} -o json`);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^[^\n]+\n$/)]);
  if (as !== undefined) ids[as] = JSON.parse(stdout).id;
  if (as === 'app') ids['appUser'] = JSON.parse(stdout).user;
  expect(JSON.parse(stderr).audit).toEqual({
    action: `identity:${action}`,
    outcome: 'allowed',
    user: 'operator',
    account: process.getuid?.(),
    subject: filled(subject),
  });
});

it.each([
  ['user delete nobody --yes', 3],
  ['project list', 0],
  ['role assign creator --user nobody --system', 3],
])('puts nothing on record that was not done: %s', async (line, code) => {
  const ended = await run(line);
  expect([ended.code, ended.stderr]).toEqual([code, expect.not.stringContaining('"audit"')]);
});
