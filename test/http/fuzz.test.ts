import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rounds } from '../harness/rounds.ts';
import { type Running, rawRequest, secretId, startEdge, statusesOf } from './edge-server.ts';

let edge: Running;
beforeAll(async () => {
  edge = await startEdge({ limits: { requestTimeoutSeconds: 1, checkIntervalMilliseconds: 100 } });
});
afterAll(() => edge.app.close());

const method = fc.constantFrom(
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'QUERY',
);
const printable = (maxLength: number) => fc.string({ unit: 'grapheme-ascii', maxLength });
const anyByte = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) =>
    Buffer.from(bytes)
      .toString('latin1')
      .replace(/[\r\n\0]/g, '~'),
  );
const segment = fc.oneof(
  fc.constantFrom(
    'v1',
    'v2',
    'identity',
    'secrets',
    'metadata',
    'payload',
    '',
    '.',
    '..',
    '%2e%2e',
    '%2F',
    '%',
    '%00',
    '%zz',
    '%c3%28',
    '*',
    ':secretId',
    '__proto__',
    secretId,
  ),
  printable(12),
  anyByte(12),
);
const target = fc
  .tuple(fc.array(segment, { maxLength: 6 }), fc.option(anyByte(30), { nil: undefined }))
  .map(([segments, query]) =>
    `/${segments.join('/')}${query === undefined ? '' : `?${query}`}`.replaceAll(' ', '+'),
  );
const headerName = fc.constantFrom(
  'Accept',
  'Content-Type',
  'Content-Encoding',
  'OpenStack-API-Version',
  'X-Auth-Token',
  'Authorization',
  'X-Project-Id',
  'X-Roles',
  'Cookie',
  'Range',
  'Expect',
  'Accept-Version',
  'Accept-Encoding',
  'Origin',
  'If-Match',
  'X-Http-Method-Override',
  'Forwarded',
);
const headerValue = fc.oneof(
  fc.constantFrom(
    'application/json',
    '*/*',
    'text/plain;q=',
    'key-manager 1.1',
    'key-manager',
    ',,;;==',
    'good',
    'Bearer good',
    'base64',
    '100-continue',
    'a/b; c="',
    ';',
    '/',
  ),
  printable(30),
  anyByte(30),
);
const body = fc.oneof(
  fc.constantFrom('', '{}', '[]', 'null', '{"a":', '{"__proto__":1}', '"\\u0000"'),
  fc.json(),
  anyByte(60),
);

function compose(parts: {
  method: string;
  target: string;
  headers: [string, string][];
  body: string;
  token: boolean;
}): Buffer {
  const lines = [
    `${parts.method} ${parts.target} HTTP/1.1`,
    'Host: x',
    'Connection: close',
    ...(parts.token ? ['X-Auth-Token: good'] : []),
    ...parts.headers.map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${Buffer.byteLength(parts.body, 'latin1')}`,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${parts.body}`, 'latin1');
}

it('answers any request of good form with a status of its own making, never 500', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        method,
        target,
        headers: fc.array(fc.tuple(headerName, headerValue), { maxLength: 5 }),
        body,
        token: fc.boolean(),
      }),
      async (parts) => {
        if (parts.target.includes('failure') || parts.target.includes('busy')) return;
        const received = await rawRequest(edge.port, [compose(parts)]);
        const last = statusesOf(received.slice(0, received.indexOf('\r\n\r\n'))).at(-1);
        expect(last).toBeDefined();
        expect(last).toBeLessThan(500);
        expect(received.toLowerCase()).toContain('x-openstack-request-id');
      },
    ),
    { numRuns: rounds(10_000) },
  );
  expect(edge.lines).toEqual([]);
});

it('never answers 500 to a request with a bit turned or a piece cut out, and goes on', async () => {
  const whole = compose({
    method: 'POST',
    target: '/v1/secrets?name=x',
    headers: [['Content-Type', 'application/json']],
    body: '{"a":[1,"b"]}',
    token: true,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length * 8 - 1),
      fc.nat(whole.length),
      fc.nat(20),
      fc.boolean(),
      async (bit, from, length, flip) => {
        const bytes = Buffer.from(whole);
        if (flip) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const sent = flip ? bytes : Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + length)]);
        const received = await new Promise<string>((resolve) => {
          const socket = connect(edge.port, '127.0.0.1');
          let text = '';
          socket.on('data', (chunk) => (text += chunk.toString('latin1')));
          socket.on('error', () => {});
          socket.on('close', () => resolve(text));
          socket.end(sent);
        });
        expect(statusesOf(received).filter((status) => status >= 500)).toEqual([]);
      },
    ),
    { numRuns: rounds(10_000) },
  );
  expect(edge.lines).toEqual([]);
  const alive = await rawRequest(edge.port, ['GET /health/live HTTP/1.0\r\n\r\n']);
  expect(statusesOf(alive)).toEqual([200]);
});
