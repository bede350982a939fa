import type { FastifyReply, FastifyRequest } from 'fastify';
import { CofferError, type ErrorCode } from '../errors.ts';
import { type ErrorReply, errorReply, outcomes, unexpectedFailure } from './errors.ts';
import { describeError, type FailureLog } from './failure-log.ts';
import { TurnedAway } from './overload.ts';
import { pathOf, surfaceOf } from './surface.ts';

const frameworkCodes: ReadonlyMap<number, ErrorCode> = new Map([
  [400, 'bad_request'],
  [404, 'not_found'],
  [408, 'request_timeout'],
  [413, 'payload_too_large'],
  [414, 'not_found'],
  [415, 'unsupported_media_type'],
  [431, 'headers_too_large'],
  [503, 'unavailable'],
]);

const frameworkTexts: ReadonlyMap<ErrorCode, string> = new Map([
  ['bad_request', 'The request is malformed.'],
  ['payload_too_large', 'Provided information too large to process'],
]);

interface FrameworkError {
  code?: unknown;
  statusCode?: unknown;
  validation?: unknown;
}

/**
 * Our own errors as they are, Fastify's by their status, a schema's refusal as 400, and the rest as a bug.
 */
export function asHttpFailure(error: unknown): CofferError {
  if (error instanceof CofferError) return error;
  if (!(error instanceof Error)) return unexpectedFailure();
  const { code, statusCode, validation } = error as FrameworkError;
  if (validation !== undefined) return new CofferError('bad_request', error.message);
  const known =
    typeof code === 'string' && code.startsWith('FST_') && typeof statusCode === 'number'
      ? frameworkCodes.get(statusCode)
      : undefined;
  return known === undefined ? unexpectedFailure() : new CofferError(known, frameworkTexts.get(known) ?? '');
}

export interface ErrorHandling {
  identityUrl: string;
  log: FailureLog;
}

/** Answers a failure, and logs it when it is ours: never with a header, a query or a body. */
export function sendFailure(
  handling: ErrorHandling,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const failure = asHttpFailure(error);
  if (outcomes[failure.code].status >= 500 && !(failure instanceof TurnedAway)) {
    const level = failure.code === 'unavailable' ? 'warn' : 'error';
    handling.log[level](
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url ?? null,
        code: failure.code,
        error: describeError(error),
      },
      'request failed',
    );
  }
  const path = pathOf(request.raw.url ?? '/');
  sendError(
    reply,
    errorReply(failure, {
      surface: surfaceOf(path),
      accept: request.raw.headers.accept,
      identityUrl: handling.identityUrl,
    }),
  );
}

function sendError(reply: FastifyReply, answer: ErrorReply): void {
  reply.code(answer.status).headers(answer.headers);
  // bytes, because Fastify adds a charset to the type of a text
  void reply.send(Buffer.from(answer.body));
}
