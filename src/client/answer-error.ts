import { CofferError, type CofferErrorCode } from './coffer-error.ts';

const codes: Readonly<Record<number, CofferErrorCode>> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  408: 'request_timeout',
  409: 'conflict',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
  431: 'headers_too_large',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};

/**
 * Whether a repeat may succeed. A gateway's 502 and 504 leave open whether the server worked, so only what
 * does no harm twice is repeated; 429 and 503 are refusals.
 */
function mayRepeat(status: number, idempotent: boolean): boolean {
  return status === 429 || status === 503 || (idempotent && (status === 502 || status === 504));
}

/** `Retry-After` (RFC 9110 §10.2.3) in seconds, from a number or a date. */
function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000));
}

interface ErrorBody {
  title?: unknown;
  description?: unknown;
  message?: unknown;
  error?: { title?: unknown; message?: unknown } | null;
}

function readBody(bytes: Uint8Array): ErrorBody {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

/** Of what servers send in the four shapes of error bodies: the title and the description, on one line. */
function messageOf(status: number, body: ErrorBody): string {
  const texts = [body.title ?? body.error?.title, body.description ?? body.message ?? body.error?.message];
  const said = texts.filter((text): text is string => typeof text === 'string' && text !== '');
  const line = (said.length === 0 ? [`the server answered ${status}`] : said).join(': ');
  return line.replace(/[\p{Cc}\s]+/gu, ' ').slice(0, 500);
}

/** The error that an answer of status 400 or more stands for. */
export function errorOfAnswer(
  status: number,
  headers: Headers,
  bytes: Uint8Array,
  idempotent: boolean,
): CofferError {
  const body = readBody(bytes);
  const broken = status === 500 && body.title === 'Integrity Violation';
  const code = broken
    ? 'integrity_violation'
    : (codes[status] ?? (status < 500 ? 'bad_request' : 'internal'));
  return new CofferError(code, messageOf(status, body), {
    status,
    requestId: headers.get('x-openstack-request-id') ?? undefined,
    retryable: mayRepeat(status, idempotent),
    retryAfterSeconds: parseRetryAfter(headers.get('retry-after'), Date.now()),
  });
}
