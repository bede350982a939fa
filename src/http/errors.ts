import { CofferError, type ErrorCode } from '../errors.ts';
import { acceptsJson } from './negotiation.ts';
import type { Surface } from './surface.ts';

interface Outcome {
  status: number;
  title: string;
}

export const outcomes: Readonly<Record<ErrorCode, Outcome>> = {
  bad_request: { status: 400, title: 'Bad Request' },
  unauthorized: { status: 401, title: 'Unauthorized' },
  forbidden: { status: 403, title: 'Forbidden' },
  not_found: { status: 404, title: 'Not Found' },
  method_not_allowed: { status: 405, title: 'Method Not Allowed' },
  not_acceptable: { status: 406, title: 'Not Acceptable' },
  request_timeout: { status: 408, title: 'Request Timeout' },
  conflict: { status: 409, title: 'Conflict' },
  payload_too_large: { status: 413, title: 'Request Entity Too Large' },
  unsupported_media_type: { status: 415, title: 'Unsupported Media Type' },
  too_many_requests: { status: 429, title: 'Too Many Requests' },
  headers_too_large: { status: 431, title: 'Request Header Fields Too Large' },
  internal: { status: 500, title: 'Internal Server Error' },
  configuration: { status: 500, title: 'Internal Server Error' },
  integrity_violation: { status: 500, title: 'Integrity Violation' },
  unavailable: { status: 503, title: 'Service Unavailable' },
};

export const authenticationRequired = 'The request you have made requires authentication.';
const unexpected = 'Unexpected failure seen - please contact site administrator.';

/** A refusal by what Barbican runs in front of its application: clients meet it in another body. */
export class MiddlewareRefusal extends CofferError {}

/** A 405 with the methods that the path does know. */
export class MethodNotAllowed extends CofferError {
  readonly allowed: readonly string[];

  constructor(allowed: readonly string[], description = '') {
    super('method_not_allowed', description);
    this.allowed = allowed;
  }
}

export interface ErrorReply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export interface Asked {
  surface: Surface;
  accept: string | undefined;
  /** Where tokens are had. */
  identityUrl: string;
}

export function errorReply(error: CofferError, asked: Asked): ErrorReply {
  const { status, title } = outcomes[error.code];
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (status === 401) headers['www-authenticate'] = `Keystone uri="${asked.identityUrl}"`;
  if (status === 503 || status === 429) headers['retry-after'] = String(error.retryAfterSeconds ?? 1);
  if (error instanceof MethodNotAllowed) headers['allow'] = error.allowed.join(', ');
  const description = error.code === 'configuration' ? unexpected : error.description;
  if (error instanceof MiddlewareRefusal && status !== 401) {
    const message = description ?? title;
    if (acceptsJson(asked.accept)) {
      return { status, headers, body: JSON.stringify({ message, code: `${status} ${title}`, title }) };
    }
    headers['content-type'] = 'text/plain; charset=UTF-8';
    return { status, headers, body: `${status} ${title}\n\n${message}\n` };
  }
  return { status, headers, body: JSON.stringify(errorBody(status, title, description, asked.surface)) };
}

function errorBody(status: number, title: string, description: string | null, surface: Surface): object {
  const keystone = { error: { code: status, title, message: description || title } };
  const plain = { code: status, title, description };
  if (surface === 'identity') return keystone;
  // keystoneauth reads `error`, barbicanclient reads the top level, and both meet a 401
  if (surface === 'v1' && status === 401) return { ...keystone, ...plain };
  return plain;
}

export function unexpectedFailure(): CofferError {
  return new CofferError('internal', unexpected);
}
