/**
 * Every way in which an operation may fail that a caller is told about. `http/errors.ts` gives each its
 * status.
 */
export type ErrorCode =
  | 'bad_request'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'request_timeout'
  | 'conflict'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'too_many_requests'
  | 'headers_too_large'
  | 'integrity_violation'
  | 'internal'
  | 'unavailable'
  | 'configuration';

/**
 * An expected failure. Its message is public: it is sent to the client word for word (`null` is kept where
 * Barbican sends a null description), so it never holds a secret, a key, SQL or a path.
 */
export class CofferError extends Error {
  readonly code: ErrorCode;
  readonly description: string | null;
  /** Seconds after which a repeat may succeed; sent as `Retry-After` with 429 and 503. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    message: string | null,
    options: { cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(message ?? '', options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CofferError';
    this.code = code;
    this.description = message;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The project was deleted: none of its keys is lent any more. */
export class ProjectGone extends CofferError {
  constructor() {
    super('not_found', 'The project was deleted, and nothing of it can be opened any more.');
    this.name = 'ProjectGone';
  }
}

/**
 * The PIN of a token is wrong. Requests find the store away; whoever starts anew by itself is told not to, as
 * each start is one try of the few that a token has.
 */
export class PinRefused extends CofferError {
  constructor(message: string) {
    super('unavailable', message, { retryAfterSeconds: 1 });
  }
}

/** The keys of something are in a store that is away, or that the configuration does not name any more. */
export class StoreAway extends CofferError {
  constructor(cause?: unknown) {
    super('unavailable', 'The secret store that holds the keys is not available; try again.', {
      cause,
      retryAfterSeconds: 5,
    });
    this.name = 'StoreAway';
  }
}
