import { afterEach, describe, expect, it } from 'vitest';
import { CofferError, redeemCode } from '../../src/client/index.ts';
import { type Script, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

const code = `cofr_${'A'.repeat(49)}`;
const body = { id: 'an-id', name: 'web', secret: 'cofa_secret', project_id: 'p', expires_at: null };
let server: ScriptedServer | undefined;
afterEach(async () => await server?.close());

async function start(script: Script): Promise<ScriptedServer> {
  server = await startScriptedServer(script);
  return server;
}

async function refusalOf(work: Promise<unknown>): Promise<CofferError> {
  const error: unknown = await work.then(
    () => new Error('it was not refused'),
    (refusal: unknown) => refusal,
  );
  if (error instanceof CofferError) return error;
  throw error;
}

describe('a code', () => {
  it('is redeemed at the address that it carries, or at the one given', async () => {
    const { url, seen } = await start((_seen, reply) => reply.json(201, body));
    const redeemed = await redeemCode(` ${code}@${url}\n`);
    expect(redeemed).toMatchObject({
      type: 'application_credential',
      id: 'an-id',
      secret: 'cofa_secret',
      url,
    });
    await redeemCode(`${code}@https://elsewhere.example`, { url });
    expect(seen.map(({ method, path, body: sent }) => [method, path, sent])).toEqual([
      ['POST', '/v2/redemptions', JSON.stringify({ code })],
      ['POST', '/v2/redemptions', JSON.stringify({ code })],
    ]);
  });

  it('is sent once, whatever becomes of it', async () => {
    for (const status of [429, 500, 502, 503]) {
      const { url, seen } = await start((_seen, reply) => reply.json(status, {}));
      expect((await refusalOf(redeemCode(code, { url }))).status).toBe(status);
      expect(seen.length).toBe(1);
      await server?.close();
    }
    const { url, seen } = await start((_seen, reply) => reply.cut());
    expect((await refusalOf(redeemCode(code, { url }))).code).toBe('network');
    expect(seen.length).toBe(1);
  });

  it('that is none is sent nowhere, nor to a server in clear, nor without an address', async () => {
    const { url, seen } = await start((_seen, reply) => reply.json(201, body));
    for (const text of [
      '',
      'cofr_',
      `${code}x`,
      `cofa_${'A'.repeat(49)}`,
      `${code}@ftp://x`,
      `${code} ${url}`,
    ]) {
      expect((await refusalOf(redeemCode(text, { url }))).code).toBe('bad_request');
    }
    expect((await refusalOf(redeemCode(code))).code).toBe('configuration');
    expect((await refusalOf(redeemCode(`${code}@http://vault.example`))).code).toBe('insecure');
    expect(seen).toEqual([]);
  });

  it('answered with no credential is an error that shows nothing', async () => {
    for (const answer of [{}, [], 'text', { id: 'x' }, { id: 'x', secret: 'line\nline' }]) {
      const { url } = await start((_seen, reply) => reply.json(201, answer));
      const refusal = await refusalOf(redeemCode(code, { url }));
      expect([refusal.code, refusal.message]).toEqual(['protocol', expect.not.stringContaining('line')]);
      await server?.close();
    }
  });
});
