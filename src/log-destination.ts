import { type DestinationStream, pino } from 'pino';

interface LogDestination extends DestinationStream {
  /** Writes what is left, in a second at most. */
  close(): Promise<void>;
}

const BUFFER_BYTES_MIN = 4_096;
/** What a log that cannot be written may hold back; lines after that are lost. */
const BUFFER_BYTES_MAX = 4 * 1024 * 1024;
const FLUSH_EVERY_MS = 500;
const CLOSE_MS_MAX = 1_000;

/**
 * A log to a file descriptor, buffered: a line costs a few microseconds, not a system call. Where it cannot
 * be written (a full disk, a reader that stopped) lines are lost, and the server neither ends for that nor is
 * kept from ending.
 */
export function openLogDestination(fd: number, say: (line: string) => void): LogDestination {
  let isClosed = false;
  const stream = pino.destination({
    fd,
    sync: false,
    minLength: BUFFER_BYTES_MIN,
    maxLength: BUFFER_BYTES_MAX,
    retryEAGAIN: () => !isClosed,
  });
  // Run when the process exits, and without an end while the disk is full.
  const flushAtExit = stream.flushSync.bind(stream);
  const flushNothing = (): void => {};
  let isBroken = false;
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    stream.flushSync = flushNothing;
    if (!isBroken) say(`The log cannot be written (${code}): lines are lost until it can.`);
    isBroken = true;
  });
  stream.on('write', () => {
    if (isBroken && !isClosed) stream.flushSync = flushAtExit;
    isBroken = false;
  });
  const flusher = setInterval(() => stream.flush(), FLUSH_EVERY_MS).unref();
  return {
    write: (line) => void stream.write(line),
    close: async () => {
      clearInterval(flusher);
      isClosed = true;
      stream.flushSync = flushNothing;
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, CLOSE_MS_MAX);
        stream.flush(() => {
          clearTimeout(deadline);
          resolve();
        });
      });
    },
  };
}
