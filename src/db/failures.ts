import { CofferError } from '../errors.ts';

const RETRY_AFTER_SECONDS = 1;

/** Classes and codes of SQLSTATE (PostgreSQL, appendix A) that say: not now. */
const UNAVAILABLE = /^(08...|57P0[0-9]|25006|53...|40001|40P01|55P03|57014|58...)$/;
/** Errors of sockets and of `pg` itself, which carry no SQLSTATE. */
const UNAVAILABLE_SYSTEM = /^(ECONN|EPIPE|ENOENT$|EACCES$|ETIMEDOUT|EAI_|ENOTFOUND|EHOSTUNREACH|ENETUNREACH)/;
const UNAVAILABLE_MESSAGE =
  /connection terminated|timeout exceeded when trying to connect|query read timeout|not queryable|pool after calling end|client was closed/i;

/**
 * What a failure of the database means to a caller. The only table of its kind. An error that is not the
 * database's is given back as it is: a bug, answered with 500.
 */
export function asCofferError(error: unknown): unknown {
  if (error instanceof CofferError || !(error instanceof Error)) return error;
  const code = (error as { code?: unknown }).code;
  const state = typeof code === 'string' ? code : '';
  if (UNAVAILABLE.test(state) || UNAVAILABLE_SYSTEM.test(state) || UNAVAILABLE_MESSAGE.test(error.message)) {
    return new CofferError('unavailable', 'The database is not available; try again.', {
      cause: withoutParameters(error),
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
  if (state === '23505') {
    return new CofferError('conflict', 'Conflict. It exists already.', { cause: withoutParameters(error) });
  }
  // The edge refuses what a column cannot hold; a value that got this far is a bug of ours, but the client's
  // value.
  if (/^22...$/.test(state)) {
    return new CofferError('bad_request', 'Provided field value is not supported', {
      cause: withoutParameters(error),
    });
  }
  return withoutParameters(error);
}

/** A database's `detail`, `where` and `internalQuery` may quote a row: only message and code go on. */
function withoutParameters(error: Error): Error {
  const state = (error as { code?: unknown }).code;
  const plain = new Error(`database error ${typeof state === 'string' ? state : ''}`.trim());
  if (typeof state !== 'string') plain.message = `database error: ${error.message}`;
  plain.stack = error.stack?.replace(error.message, plain.message) ?? plain.message;
  return plain;
}
