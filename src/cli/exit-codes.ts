import { CofferError, PinRefused } from '../errors.ts';
import { UsageError } from './command.ts';

/** The documented exit codes; `run` adds the child's own, 126, 127 and 128 + the signal. */
export const exitCodes = {
  done: 0,
  internal: 1,
  invalid: 2,
  notFound: 3,
  notSignedIn: 4,
  notAllowed: 5,
  conflict: 6,
  tooManyRequests: 7,
  unavailable: 8,
  usage: 64,
  configuration: 78,
} as const;

const byStatus: Readonly<Record<number, number>> = {
  401: exitCodes.notSignedIn,
  403: exitCodes.notAllowed,
  404: exitCodes.notFound,
  409: exitCodes.conflict,
  429: exitCodes.tooManyRequests,
  502: exitCodes.unavailable,
  503: exitCodes.unavailable,
  504: exitCodes.unavailable,
};

const byCode: Readonly<Record<string, number>> = {
  configuration: exitCodes.configuration,
  usage: exitCodes.usage,
  not_found: exitCodes.notFound,
  unauthorized: exitCodes.notSignedIn,
  forbidden: exitCodes.notAllowed,
  conflict: exitCodes.conflict,
  unavailable: exitCodes.unavailable,
  network: exitCodes.unavailable,
  timeout: exitCodes.unavailable,
  aborted: exitCodes.unavailable,
  protocol: exitCodes.internal,
  wiped: exitCodes.internal,
  untrusted: exitCodes.configuration,
  insecure: exitCodes.configuration,
  redirected: exitCodes.configuration,
  internal: exitCodes.internal,
  integrity_violation: exitCodes.internal,
};

/** A failure that is told in a line: the server's, of whichever name, or the SDK's. */
export function isExpected(error: Error): boolean {
  return error instanceof CofferError || error.name === 'CofferError';
}

/**
 * The exit code of what a command threw: by HTTP status (the SDK's errors), else by code (the server's own).
 */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (!(error instanceof Error) || !isExpected(error)) return exitCodes.internal;
  // 8 says to try again.
  if (error instanceof PinRefused || error.cause instanceof PinRefused) return exitCodes.configuration;
  const { status, code } = error as { status?: unknown; code?: unknown };
  if (typeof status === 'number' && status >= 400) {
    return byStatus[status] ?? (status >= 400 && status < 500 ? exitCodes.invalid : exitCodes.internal);
  }
  return typeof code === 'string' ? (byCode[code] ?? exitCodes.invalid) : exitCodes.internal;
}
