/**
 * Why a call failed. The first group is what a server answered, by status; the second is what happened on
 * this side. `protocol` is an answer that is no answer of a key manager, `wiped` a value used after `wipe()`.
 */
export type CofferErrorCode =
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
  | 'headers_too_large'
  | 'too_many_requests'
  | 'integrity_violation'
  | 'internal'
  | 'unavailable'
  | 'network'
  | 'untrusted'
  | 'timeout'
  | 'aborted'
  | 'redirected'
  | 'insecure'
  | 'configuration'
  | 'protocol'
  | 'not_text'
  | 'wiped';

/** What a `CofferError` carries beside its code and message. */
export interface CofferErrorDetails {
  status?: number | undefined;
  requestId?: string | undefined;
  retryable?: boolean | undefined;
  retryAfterSeconds?: number | undefined;
}

/**
 * The only error that this package throws. Its message is meant for people and never holds a token, a
 * password or a secret's value; there is no `cause`, because causes of network libraries may hold headers.
 */
export class CofferError extends Error {
  readonly code: CofferErrorCode;
  /** The HTTP status; undefined when no answer came. */
  readonly status: number | undefined;
  /** The server's `X-OpenStack-Request-Id`, which its log holds as well. */
  readonly requestId: string | undefined;
  /** True when the same call may succeed later and a repeat cannot do harm. */
  readonly retryable: boolean;
  /** What the server asked for in `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: CofferErrorCode, message: string, details: CofferErrorDetails = {}) {
    super(message);
    this.name = 'CofferError';
    this.code = code;
    this.status = details.status;
    this.requestId = details.requestId;
    this.retryable = details.retryable ?? false;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}
