import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A request whose body is waited for: in flight for as long as one likes. */
export interface HalfRequest {
  /** Sends the rest, and resolves to all that was answered until the connection closed. */
  finish(): Promise<string>;
}

export async function beginStore(port: number, token: string, payload: string): Promise<HalfRequest> {
  const body = JSON.stringify({ payload, payload_content_type: 'text/plain' });
  const socket = await open(port);
  const head = [
    'POST /v1/secrets HTTP/1.1',
    'Host: 127.0.0.1',
    `X-Auth-Token: ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Expect: 100-continue',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  // Said when the server works on it: before that it would not be in flight.
  const [going] = (await once(socket, 'data')) as [Buffer];
  if (!going.toString().startsWith('HTTP/1.1 100 ')) throw new Error(`refused: ${going.toString()}`);
  socket.write(body.slice(0, 10));
  return { finish: async () => await exchange(socket, body.slice(10)) };
}

/** A connection on which one request was answered, and that is kept. */
export async function keepConnection(port: number): Promise<Socket> {
  const socket = await open(port);
  socket.write('GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await once(socket, 'data');
  return socket;
}

export async function exchange(socket: Socket, text: string): Promise<string> {
  let answered = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (answered += chunk));
  // What the other end has closed is no failure here: nothing more was answered.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  if (!socket.destroyed) {
    socket.write(text);
    await closed;
  }
  return answered;
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}
