/** What `http/` needs of a logger. */
export interface FailureLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const causesMax = 4;

/**
 * An error as a log may show it. Messages of Node, of a driver or of a parser can quote what they were given,
 * so only our own (errors without a `code` that are no SyntaxError) are shown; the place where it happened
 * always is.
 */
export function describeError(error: unknown, depth = 0): object {
  if (!(error instanceof Error)) return { name: typeof error };
  const code: unknown = 'code' in error ? error.code : undefined;
  const ours = error.name === 'CofferError' || (code === undefined && !(error instanceof SyntaxError));
  return {
    name: error.name,
    ...(typeof code === 'string' && { code }),
    ...(ours && { message: error.message }),
    stack: stackFrames(error),
    ...(error.cause !== undefined && depth < causesMax && { cause: describeError(error.cause, depth + 1) }),
  };
}

function stackFrames(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim());
}
