import { type DestinationStream, type Logger, pino } from 'pino';

// In a module of its own: a package that is loaded on demand has no named exports in the bundle.

/** For commands: what they have to say they say themselves. */
export function createSilentLog(): Logger {
  return pino({ level: 'silent' });
}

/** Lines as a server's log has them. */
export function createRecordLog(destination: DestinationStream): Logger {
  return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
