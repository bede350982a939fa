import type { LookupAddress } from 'node:dns';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type FetchRules,
  fetchKeySet,
  KeySetProblem,
  requireAllowed,
} from '../../../src/identity/federation/key-set-fetch.ts';
import { parseKeySet } from '../../../src/identity/federation/key-set.ts';
import { startIssuer, type TestIssuer } from './test-issuer.ts';

let issuer: TestIssuer;
let elsewhere: TestIssuer;
const here = { allowPrivate: true, allowHttp: true } as const;

beforeAll(async () => {
  [issuer, elsewhere] = await Promise.all([startIssuer(), startIssuer()]);
});
afterEach(() => {
  issuer.answer = undefined;
});
afterAll(async () => {
  await Promise.all([issuer.stop(), elsewhere.stop()]);
});

const problem = async (rules: Partial<FetchRules> = {}, url = issuer.jwksUrl): Promise<string> =>
  await fetchKeySet(url, { ...here, ...rules }).then(
    () => 'none',
    (error: unknown) => (error instanceof KeySetProblem ? error.message : `another: ${String(error)}`),
  );

it('is read from its address', async () => {
  expect(parseKeySet(await fetchKeySet(issuer.jwksUrl, here))).toHaveLength(1);
});

describe('an issuer that is hostile or broken', () => {
  it('sends nobody elsewhere', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      issuer.answer = (_request, response) => {
        response.writeHead(status, { location: elsewhere.jwksUrl }).end();
      };
      expect(await problem()).toContain('redirects');
    }
    expect(elsewhere.asked).toBe(0);
  });

  it('is given up when it is slow to answer', async () => {
    issuer.answer = () => {};
    const started = performance.now();
    expect(await problem({ timeoutMs: 200 })).toContain('did not answer within 0.2 s');
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  it('is given up when it never comes to an end', async () => {
    let timer: NodeJS.Timeout | undefined;
    issuer.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      timer = setInterval(() => response.write(' '), 20);
    };
    expect(await problem({ timeoutMs: 300 })).toContain('did not answer within');
    clearInterval(timer);
  });

  it('is given up at a bound of bytes, said beforehand or not', async () => {
    issuer.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      for (let index = 0; index < 100; index += 1) response.write(' '.repeat(10_000));
      response.end();
    };
    expect(await problem()).toContain('more than 262144 bytes');
    issuer.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '99999999' });
      response.write('{');
    };
    expect(await problem()).toContain('more than 262144 bytes');
  });

  it.each([
    ['another status', 404, { 'content-type': 'application/json' }, 'answers 404'],
    ['no content', 204, {}, 'answers 204'],
    ['a page', 200, { 'content-type': 'text/html' }, 'something else than JSON'],
    ['no type', 200, {}, 'something else than JSON'],
    [
      'a compressed answer',
      200,
      { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      'encoding',
    ],
  ])('is refused with %s', async (_what, status, headers, message) => {
    issuer.answer = (_request, response) => {
      response.writeHead(status, headers).end(status === 204 ? undefined : '{"keys":[]}');
    };
    expect(await problem()).toContain(message);
  });

  it('is a problem and no defect when it hangs up', async () => {
    issuer.answer = (request) => request.socket.destroy();
    expect(await problem()).toContain('cannot be reached');
    issuer.answer = (request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"keys":');
      setTimeout(() => request.socket.destroy(), 20);
    };
    expect(await problem()).toContain('cannot be reached');
    expect(await problem({}, 'http://127.0.0.1:1/')).toContain('ECONNREFUSED');
  });

  it('is a problem and no defect when it speaks no HTTP', async () => {
    issuer.answer = (request) => {
      request.socket.end('SSH-2.0-OpenSSH\r\n');
    };
    expect(await problem()).toContain('cannot be reached');
  });
});

describe('an address that is not allowed', () => {
  it.each([
    'http://127.0.0.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://0x7f000001/',
    'http://2130706433/',
    'http://127.1/',
    'https://10.0.0.1/',
  ])('is refused where it is private: %s', (url) => {
    expect(() => requireAllowed(url, { allowPrivate: false, allowHttp: true })).toThrow('private address');
  });

  it.each(['ftp://example.org/', 'file:///etc/passwd', 'https://user:word@example.org/', 'nothing', ''])(
    'is refused where it is no plain URL: %s',
    (url) => expect(() => requireAllowed(url, here)).toThrow('no plain http or https URL'),
  );

  it('is refused over http', () => {
    expect(() => requireAllowed('http://example.org/', { allowPrivate: true, allowHttp: false })).toThrow(
      'is http',
    );
  });

  const resolvingTo = (...answers: LookupAddress[][]) => {
    let count = 0;
    const resolve = ((_name: string, _options: object, callback: (...args: unknown[]) => void) => {
      const answer = answers[Math.min(count, answers.length - 1)];
      count += 1;
      callback(null, answer);
    }) as unknown as NonNullable<FetchRules['resolve']>;
    return { resolve, asked: () => count };
  };
  const at = (address: string): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 });

  it('is refused where its name resolves to a private one, also beside a public one', async () => {
    const url = issuer.jwksUrl.replace('127.0.0.1', 'keys.example.org');
    const before = issuer.asked;
    for (const found of [
      [at('127.0.0.1')],
      [at('1.1.1.1'), at('127.0.0.1')],
      [at('::1')],
      [at('::ffff:127.0.0.1')],
    ]) {
      const { resolve } = resolvingTo(found);
      expect(await problem({ allowPrivate: false, resolve }, url)).toContain('private address');
    }
    expect(
      await problem({ allowPrivate: false }, issuer.jwksUrl.replace('127.0.0.1', 'localhost')),
    ).toContain('private address');
    expect(issuer.asked).toBe(before);
  });

  it('is resolved once: what was judged is what is connected to', async () => {
    const url = issuer.jwksUrl.replace('127.0.0.1', 'keys.example.org');
    const names = resolvingTo([at('127.0.0.1')], [at('10.0.0.1')]);
    expect(parseKeySet(await fetchKeySet(url, { ...here, resolve: names.resolve }))).toHaveLength(1);
    expect(names.asked()).toBe(1);
  });

  it('is no problem of ours when the name has no address', async () => {
    const { resolve } = resolvingTo([]);
    expect(await problem({ resolve }, 'http://keys.example.org/')).toContain('has no address');
  });
});
