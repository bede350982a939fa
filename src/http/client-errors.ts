import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { CofferError } from '../errors.ts';
import { errorReply, outcomes } from './errors.ts';

const byCode: ReadonlyMap<string, CofferError> = new Map([
  ['HPE_HEADER_OVERFLOW', new CofferError('headers_too_large', 'The headers are too large.')],
  [
    'HPE_CHUNK_EXTENSIONS_OVERFLOW',
    new CofferError('payload_too_large', 'The chunk extensions are too large.'),
  ],
  ['ERR_HTTP_REQUEST_TIMEOUT', new CofferError('request_timeout', 'The request did not arrive in time.')],
]);
const malformed = new CofferError('bad_request', 'The request is not valid HTTP.');

/**
 * Which response a connection is at, so that an answer to broken HTTP never passes for the answer to another
 * request.
 */
export function trackResponses(server: Server): WeakMap<Duplex, ServerResponse> {
  const current = new WeakMap<Duplex, ServerResponse>();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    current.set(request.socket, response);
  });
  return current;
}

/** Answers what Node's parser refused, in the least of HTTP, and closes. */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  current: WeakMap<Duplex, ServerResponse>,
): void {
  const response = current.get(socket);
  const answering = response !== undefined && !response.writableFinished;
  const anothersAnswer = answering && (response.headersSent || response.req.complete);
  if (error.code === 'ECONNRESET' || !socket.writable || anothersAnswer) {
    socket.destroy();
    return;
  }
  const failure = byCode.get(error.code ?? '') ?? malformed;
  const { status, title } = outcomes[failure.code];
  const { body } = errorReply(failure, { surface: 'other', accept: undefined, identityUrl: '' });
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-OpenStack-Request-Id: req-${randomUUID()}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
