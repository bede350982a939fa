import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Running, rawRequest, secretId, startEdge, statusesOf } from './edge-server.ts';

let edge: Running;
/** Gives slow clients up soon, and who is kept waiting by a busy machine as well. */
let hasty: Running;
beforeAll(async () => {
  edge = await startEdge();
  hasty = await startEdge({
    limits: { requestTimeoutSeconds: 1, headersTimeoutSeconds: 0.5, checkIntervalMilliseconds: 100 },
  });
});
afterAll(async () => await Promise.all([edge.app.close(), hasty.app.close()]));

const get = (more = '', path = '/v1/secrets') =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: good\r\n${more}\r\n`;
const last = 'Connection: close\r\n';
const post = (headers: string, body: string) =>
  'POST /v1/secrets HTTP/1.1\r\nHost: x\r\nX-Auth-Token: good\r\n' +
  `Content-Type: application/json\r\n${headers}\r\n${body}`;

async function statuses(...pieces: (string | Buffer)[]): Promise<number[]> {
  return statusesOf(await rawRequest(edge.port, pieces));
}

it.each([
  ['a length and chunks', post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${get()}`)],
  ['chunks and a length', post('Transfer-Encoding: chunked\r\nContent-Length: 6\r\n', `0\r\n\r\n${get()}`)],
  ['two lengths', post('Content-Length: 2\r\nContent-Length: 40\r\n', `{}${get()}`)],
  ['two equal lengths', post('Content-Length: 2\r\nContent-Length: 2\r\n', `{}${get()}`)],
  ['a list of lengths', post('Content-Length: 2, 2\r\n', `{}${get()}`)],
  ['a signed length', post('Content-Length: +2\r\n', `{}${get()}`)],
  ['a hexadecimal length', post('Content-Length: 0x2\r\n', `{}${get()}`)],
  ['two encodings', post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${get()}`)],
  [
    'chunked twice',
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${get()}`),
  ],
  ['an encoding that is not chunked', post('Transfer-Encoding: identity\r\n', `{}${get()}`)],
  ['a space before the colon', post('Content-Length : 2\r\n', `{}${get()}`)],
  [
    'an encoding behind a folded line',
    post('X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n', `{}${get()}`),
  ],
  ['a tab before the encoding', post('Transfer-Encoding:\x0bchunked\r\n', `0\r\n\r\n${get()}`)],
  ['lines ended by a bare line feed', 'GET /v1/secrets HTTP/1.1\nHost: x\nX-Auth-Token: good\n\n'],
  ['a bare carriage return in a header', get('A: b\rX-Auth-Token: other\r\n')],
  ['a NUL in a header', get('A: b\0c\r\n')],
  ['a bad chunk size', post('Transfer-Encoding: chunked\r\n', `zz\r\n{}\r\n0\r\n\r\n${get()}`)],
  [
    'an endless chunk size',
    post('Transfer-Encoding: chunked\r\n', `fffffffffffffffff\r\n{}\r\n0\r\n\r\n${get()}`),
  ],
  ['a chunk longer than it says', post('Transfer-Encoding: chunked\r\n', `2\r\n{}X\r\n0\r\n\r\n${get()}`)],
  ['no host', 'GET /v1/secrets HTTP/1.1\r\nX-Auth-Token: good\r\n\r\n'],
  ['HTTP/2 without being asked', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/0.9', 'GET /v1/secrets\r\n\r\n'],
  ['a TLS greeting', Buffer.from('160301020001', 'hex')],
  ['noise', Buffer.from([0, 255, 1, 254, 13, 10, 13, 10])],
])('answers %s once, with 400, and then hangs up', async (_what, bytes) => {
  const received = await rawRequest(edge.port, [bytes]);
  expect(statusesOf(received).slice(0, 1)).toEqual([400]);
  expect(received.toLowerCase()).toContain('x-openstack-request-id: req-');
  expect(received).not.toContain('HTTP/1.1 200');
  expect(received).not.toContain('HTTP/1.1 201');
});

it.each([
  'Host',
  'Content-Type',
  'Authorization',
  'X-Auth-Token',
  'X-Subject-Token',
  'X-Project-Id',
  'x-ROLES',
])('refuses a second %s, equal or not', async (name) => {
  const twice = `GET /health/live HTTP/1.1\r\nHost: x\r\n${last}`;
  const value = name === 'Host' ? '' : `${name}: a\r\n`;
  expect(await statuses(`${twice}${value}${name.toLowerCase()}: a\r\n\r\n`)).toEqual([400]);
  expect(await statuses(`${twice}${value}${name}: b\r\n\r\n`)).toEqual([400]);
});

it('refuses headers too large or too many with 431, and drops none in silence', async () => {
  expect(await statuses(get(`A: ${'b'.repeat(20_000)}\r\n`))).toEqual([431]);
  const fillers = (count: number) => Array.from({ length: count }, (_unused, n) => `x${n}: y\r\n`).join('');
  expect(await statuses(get(fillers(97) + last))).toEqual([200]);
  expect(await statuses(get(fillers(98) + last))).toEqual([431]);
  expect(await statuses(get(fillers(1_100) + last))).toEqual([431]);
  // the token comes last: dropped, the answer would be 401
  expect(
    await statuses(
      `GET /v1/secrets HTTP/1.1\r\nHost: x\r\n${last}${fillers(1_500)}X-Auth-Token: good\r\n\r\n`,
    ),
  ).toEqual([431]);
});

it('ends slow headers and slow bodies with 408', async () => {
  const slow = ['GET /v1/secrets HTTP/1.1\r\nHost: x\r\nA:', post('Content-Length: 100\r\n', '{')];
  for (const begun of slow) expect(statusesOf(await rawRequest(hasty.port, [begun]))).toEqual([408]);
});

it('ends a body that drips within the time of a request', async () => {
  const socket = connect(hasty.port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => (received += chunk.toString()));
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.write(post('Content-Length: 1000\r\n', '{'));
  const drip = setInterval(() => socket.writable && socket.write(' '), 50);
  await closed;
  clearInterval(drip);
  expect(statusesOf(received)).toEqual([408]);
});

it('answers a pipeline in its order, each request by its own token', async () => {
  const stranger = `GET /v1/secrets HTTP/1.1\r\nHost: x\r\n\r\n`;
  expect(await statuses(get() + stranger + get() + get(last, '/v1/nothing'))).toEqual([200, 401, 200, 404]);
});

it('gives nobody the refusal of bytes that follow a request still being answered', async () => {
  const received = await rawRequest(edge.port, [`${get()}garbage\r\n\r\n`]);
  expect(statusesOf(received).filter((status) => status !== 200)).toEqual([]);
});

it('takes the rest of a refused body, up to a bound, and keeps the connection', async () => {
  const body = `"${'x'.repeat(200_000)}"`;
  const refused = post(`Content-Length: ${body.length}\r\n`, body).replace('good', 'bad');
  expect(await statuses(refused + get(last))).toEqual([401, 200]);
  const tooLarge = post(`Content-Length: ${body.length}\r\n`, body);
  expect(await statuses(tooLarge + get(last))).toEqual([400, 200]);
  const chunked = post(
    'Transfer-Encoding: chunked\r\n',
    `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  );
  expect(await statuses(chunked + get(last))).toEqual([400, 200]);
});

it('does not read an endless body that it refused', async () => {
  const socket = connect(edge.port, '127.0.0.1');
  socket.on('error', () => {});
  let sent = 0;
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.write('POST /v1/secrets HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\n\r\n');
  const chunk = Buffer.alloc(65_536, 'x');
  const push = (): void => {
    while (!socket.destroyed && socket.writable) {
      sent += chunk.length;
      if (!socket.write(chunk)) break;
    }
  };
  socket.on('drain', push);
  push();
  await closed;
  expect(sent).toBeLessThan(30_000_000);
});

it('reads a body sent in pieces, with a length or in chunks, and refuses one cut short', async () => {
  const pieces = ['{"a"', ':', '1}'];
  expect(await statuses(post(`${last}Content-Length: 7\r\n`, ''), ...pieces)).toEqual([201]);
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  expect(await statuses(post(`${last}Transfer-Encoding: chunked\r\n`, ''), ...chunks, '0\r\n\r\n')).toEqual([
    201,
  ]);
  const socket = connect(edge.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(post('Content-Length: 100\r\n', '{'));
  await sleep(50);
  socket.destroy();
  await sleep(50);
  expect(edge.lines).toEqual([]);
});

it('takes the absolute form of an address, an expectation, an upgrade and HTTP/1.0', async () => {
  expect(await statuses(get(last, 'http://elsewhere.example/v1/secrets?name=x'))).toEqual([200]);
  expect(await statuses(get(last, 'http://elsewhere.example/v1/nothing'))).toEqual([404]);
  expect(await statuses(post(`${last}Expect: 100-continue\r\nContent-Length: 2\r\n`, '{}'))).toEqual([
    100, 201,
  ]);
  expect(await statuses(get(`${last}Expect: the-unexpected\r\n`))).toEqual([200]);
  expect(await statuses(get('Upgrade: websocket\r\nConnection: upgrade, close\r\n'))).toEqual([200]);
  expect(await statuses('GET /v1/secrets HTTP/1.0\r\nX-Auth-Token: good\r\n\r\n')).toEqual([200]);
});

it('answers methods it does not serve, CONNECT and TRACE among them, with 405', async () => {
  for (const method of ['TRACE', 'PROPFIND', 'PURGE', 'LOCK', 'SEARCH', 'QUERY']) {
    const received = await rawRequest(edge.port, [get(last).replace('GET', method)]);
    const supported = statusesOf(received)[0];
    expect([method, supported === 405 || supported === 400]).toEqual([method, true]);
  }
  expect(await statuses('CONNECT kms.example:443 HTTP/1.1\r\nHost: x\r\n\r\n')).toEqual([405]);
  expect(await statuses('OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toEqual([200]);
  expect(await statuses('BREW /v1/secrets HTTP/1.1\r\nHost: x\r\n\r\n')).toEqual([400]);
});

it('takes a raw body of any type, its bytes unchanged, up to its limit', async () => {
  const bytes = Buffer.from(Array.from({ length: 20_000 }, (_unused, n) => n % 256));
  const put = (type: string, body: Uint8Array<ArrayBuffer>) =>
    fetch(`http://127.0.0.1:${edge.port}/v1/secrets/${secretId}`, {
      method: 'PUT',
      headers: { 'x-auth-token': 'good', 'content-type': type },
      body,
    });
  const answer = await put('application/octet-stream', bytes);
  expect(answer.status).toBe(200);
  expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
  expect((await put('text/plain; charset=iso-8859-1', bytes)).status).toBe(200);
  const refused = await put('text/plain', Buffer.alloc(20_001));
  expect([refused.status, await refused.json()]).toEqual([
    413,
    {
      code: 413,
      title: 'Request Entity Too Large',
      description: 'Provided information too large to process',
    },
  ]);
  const type = await put('application/pkcs8', bytes);
  expect([type.status, ((await type.json()) as { description: string }).description]).toEqual([
    415,
    "Unexpected content type. Expected content types are: ['application/octet-stream', 'text/plain']",
  ]);
});

it('still serves after all of this', async () => {
  expect(await statuses(get(last))).toEqual([200]);
  expect([...edge.lines, ...hasty.lines]).toEqual([]);
});
