import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { makeKey, signJwt, startIssuer, type TestIssuer } from '../identity/federation/test-issuer.ts';
import { type Ended, runCoffer } from './run-coffer.ts';

let coffer: StartedCoffer;
let issuer: TestIssuer;
let cwd: string;

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'coffer-issuer-'));
  [coffer, issuer] = await Promise.all([startCoffer(), startIssuer()]);
  await coffer.person(['creator'], 'shop');
  writeFileSync(join(cwd, 'jwks.json'), JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }));
});
afterAll(async () => {
  await coffer.stop();
  await issuer.stop();
  rmSync(cwd, { recursive: true });
});

const run = async (line: string, stdin = ''): Promise<Ended> =>
  await runCoffer(line.split(' '), { cwd, stdin, env: coffer.env });

const asked = (name: string, jwks: string): string =>
  `issuer create ${name} --issuer ${issuer.url} --jwks ${jwks} --audience coffer-test --claims sub=system:serviceaccount:shop:web --project shop --role creator`;

const federate = async (name: string): Promise<number> =>
  (
    await coffer.stranger.send(
      'POST',
      `/identity/v3/OS-FEDERATION/identity_providers/${name}/protocols/openid/auth`,
      { headers: { authorization: `Bearer ${await issuer.sign()}` } },
    )
  ).status;

describe('coffer issuer', () => {
  it('makes one with a stored key set, which the server takes at once', async () => {
    const { code, stdout, stderr } = await run(asked('stored', 'jwks.json'));
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^\{.*"audit".*\}\n$/)]);
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'stored',
      issuer: issuer.url,
      jwks: 'stored',
      claims: 'sub=system:serviceaccount:shop:web',
      project: 'shop',
      roles: 'creator',
      enabled: 'true',
    });
    expect(await federate('stored')).toBe(201);
    expect(issuer.asked).toBe(0);
    expect((await run(asked('stored', 'jwks.json'))).code).toBe(6);
  });

  it('makes one whose keys are read from a URL, where that is allowed', async () => {
    for (const flags of ['', ' --allow-http', ' --allow-private']) {
      const { code, stderr } = await run(asked('read', issuer.jwksUrl) + flags);
      expect([code, stderr]).toEqual([64, expect.stringMatching(/--jwks: .*(?:http|private)/)]);
    }
    expect((await run(`${asked('read', issuer.jwksUrl)} --allow-http --allow-private`)).code).toBe(0);
    expect(await federate('read')).toBe(201);
  });

  it('lists and shows them', async () => {
    const list = JSON.parse((await run('issuer list')).stdout) as { name: string; jwks: string }[];
    expect(list.map(({ name, jwks }) => [name, jwks])).toEqual([
      ['read', issuer.jwksUrl],
      ['stored', 'stored'],
    ]);
    expect(JSON.parse((await run('issuer show READ')).stdout)).toEqual(list[0]);
    expect((await run('issuer show none')).code).toBe(3);
  });

  it('says what a JWT lacks, and shows nothing else of it', async () => {
    const good = await run('issuer test read', `${await issuer.sign()}\n`);
    expect([good.code, good.stdout]).toEqual([
      0,
      expect.stringMatching(/^key set: 1 usable\nJWT: accepted, of "system:serviceaccount:shop:web", until /),
    ]);
    const bad = await run('issuer test read', await issuer.sign({ sub: 'other-canary' }));
    expect([bad.code, bad.stdout]).toEqual([
      2,
      'key set: 1 usable\nrefused: the claim sub has another value\n',
    ]);
    const foreign = await signJwt(makeKey(), issuer.claims());
    expect((await run('issuer test stored', foreign)).stdout).toContain(
      'refused: the key set has no such key',
    );
    expect((await run('issuer test read')).code).toBe(0);
    issuer.answer = (_request, response) => response.writeHead(500).end();
    expect((await run('issuer test read')).stdout).toBe('key set: it answers 500\n');
    issuer.answer = undefined;
    expect((await run('issuer test read a.b.c')).code).toBe(64);
  });

  it('disables, enables, and gives another key set', async () => {
    expect((await run('issuer set stored --disable')).code).toBe(0);
    expect(await federate('stored')).toBe(401);
    expect((await run('issuer test stored')).stdout).toContain('refused: the issuer is disabled');
    writeFileSync(join(cwd, 'next.json'), JSON.stringify({ keys: [makeKey().jwk] }));
    expect((await run('issuer set stored --enable --jwks next.json')).code).toBe(0);
    expect(await federate('stored')).toBe(401);
    expect((await run('issuer set stored --jwks jwks.json --revoke-tokens')).code).toBe(0);
    expect(await federate('stored')).toBe(201);
  });

  it('deletes one after it was asked to, with its user', async () => {
    expect((await run('issuer delete stored')).code).toBe(64);
    expect(await federate('stored')).toBe(201);
    expect((await run('issuer delete stored --yes')).code).toBe(0);
    expect(await federate('stored')).toBe(401);
    expect((await run('issuer delete stored --yes')).code).toBe(3);
    expect((await run(asked('stored', 'jwks.json'))).code).toBe(0);
  });

  it.each([
    ['issuer create', 64, 'one NAME'],
    ['issuer create x', 64, 'needs --issuer'],
    ['issuer set read', 64, 'says what to change'],
    ['issuer set read --enable --disable', 64, 'not both'],
    ['issuer list x', 64, 'flags alone'],
    ['issuer', 64, 'needs a verb'],
  ])('refuses %s', async (line, code, message) => {
    const ended = await run(line);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).toContain(message);
  });

  it('refuses a key set or a claim that cannot be meant', async () => {
    writeFileSync(join(cwd, 'bad.json'), '{"keys":[]}');
    expect((await run(asked('x', 'bad.json'))).stderr).toContain('no key that may verify');
    expect((await run(asked('x', 'missing.json'))).stderr).toContain('cannot be read (ENOENT)');
    expect((await run(`${asked('x', 'jwks.json')} --claims sub=other`)).stderr).toContain('given twice');
    expect((await run(`${asked('x', 'jwks.json')} --claims other`)).stderr).toContain('NAME=VALUE');
    expect((await run(asked('x', 'jwks.json').replace('--role creator', '--role none'))).code).toBe(3);
    expect((await run(asked('a/b', 'jwks.json'))).code).toBe(2);
  });
});
