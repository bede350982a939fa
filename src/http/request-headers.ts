import type { IncomingMessage } from 'node:http';
import type { FastifyReply } from 'fastify';
import { CofferError } from '../errors.ts';
import type { HttpLimits } from './limits.ts';

/** Node keeps the first of some and joins the rest: whoever checks in front of us may have kept another. */
const once: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'authorization',
  'x-auth-token',
  'x-subject-token',
  'x-project-id',
  'x-user-id',
  'x-roles',
  'x-domain-id',
]);

const mediaType = /^[ \t]*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+[ \t]*(;|$)/;

/**
 * Refuses headers that two readers may understand differently, and all that follows on the same connection.
 */
export function checkHeaders(request: IncomingMessage, reply: FastifyReply, limits: HttpLimits): void {
  try {
    requireOneMeaning(request, limits);
  } catch (error) {
    reply.header('connection', 'close');
    throw error;
  }
}

function requireOneMeaning(request: IncomingMessage, limits: HttpLimits): void {
  const raw = request.rawHeaders;
  if (raw.length > limits.headersMax * 2) throw new CofferError('headers_too_large', 'Too many headers.');
  const seen: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]?.toLowerCase() ?? '';
    if (!once.has(name)) continue;
    if (seen.includes(name)) throw new CofferError('bad_request', `The header ${name} is repeated.`);
    seen.push(name);
  }
  if (request.headers.host === undefined && request.httpVersionMinor > 0) {
    throw new CofferError('bad_request', 'The header host is missing.');
  }
  const encoding = request.headers['transfer-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') {
    throw new CofferError('bad_request', 'The transfer encoding is not supported.');
  }
  maskContentType(request);
}

/**
 * Fastify would answer an unreadable type before the actor's rights are known; the handler's own 415 comes in
 * its turn.
 */
function maskContentType(request: IncomingMessage): void {
  const given = request.headers['content-type'];
  if (given !== undefined && !mediaType.test(given))
    request.headers['content-type'] = 'unreadable/unreadable';
}
