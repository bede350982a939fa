import { connect, type Socket } from 'node:net';

export interface Load {
  port: number;
  connections: number;
  seconds: number;
  /** The bytes of the next request, keep-alive. */
  next: () => Buffer;
}

export interface Measured {
  requestsPerSecond: number;
  /** Milliseconds. */
  median: number;
  p99: number;
  /** Answers that were not 2xx. */
  failed: number;
}

/**
 * Keeps one request in flight on each connection. Written on sockets, because a client library would cost
 * more than the server that it measures.
 */
export async function measure(load: Load): Promise<Measured> {
  const times: number[] = [];
  let failed = 0;
  const end = performance.now() + load.seconds * 1000;
  const one = async (): Promise<void> => {
    const socket = connect(load.port, '127.0.0.1').setNoDelay(true);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    while (performance.now() < end) {
      const sent = performance.now();
      socket.write(load.next());
      const status = await readAnswer(socket);
      times.push(performance.now() - sent);
      if (status < 200 || status > 299) failed += 1;
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: load.connections }, one));
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(share * (times.length - 1))] ?? 0;
  return { requestsPerSecond: times.length / load.seconds, median: at(0.5), p99: at(0.99), failed };
}

/** Reads one answer to its end by its Content-Length, and gives its status. */
async function readAnswer(socket: Socket): Promise<number> {
  return await new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const done = (act: () => void): void => {
      socket.off('data', take).off('close', closed);
      act();
    };
    const closed = (): void => done(() => reject(new Error('the server closed the connection')));
    const take = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const headEnd = bytes.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const head = bytes.toString('latin1', 0, headEnd);
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (bytes.length >= headEnd + 4 + length) done(() => resolve(Number(head.slice(9, 12))));
    };
    socket.on('data', take).on('close', closed);
  });
}

export function requestBytes(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: Buffer,
): Buffer {
  const lines = Object.entries({
    host: '127.0.0.1',
    ...headers,
    ...(body === undefined ? {} : { 'content-length': String(body.length) }),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  return body === undefined ? head : Buffer.concat([head, body]);
}
