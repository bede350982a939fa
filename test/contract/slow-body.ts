import { connect } from 'node:net';

interface Slow {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: unknown;
}

/** Sends the half of a JSON body, and the rest when `meanwhile` is done; gives the status of the answer. */
export async function sendSlowly(
  url: string,
  { method, path, headers, body }: Slow,
  meanwhile: () => Promise<unknown>,
): Promise<number> {
  const text = JSON.stringify(body);
  const lines = Object.entries({
    host: 'coffer',
    'content-type': 'application/json',
    'content-length': String(text.length),
    connection: 'close',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const answer = new Promise<string>((resolve, reject) => {
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    socket.on('end', () => resolve(received)).on('error', reject);
  });
  const half = Math.floor(text.length / 2);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${text.slice(0, half)}`);
  await meanwhile();
  socket.write(text.slice(half));
  const [, status] = /^HTTP\/1\.1 ([0-9]{3}) /.exec(await answer) ?? [];
  return Number(status);
}
