import { CofferError } from '../errors.ts';

export interface AttemptLimit {
  /** Counts an attempt. @throws CofferError `too_many_requests`, with the seconds left to wait. */
  count(source: string): void;
}

interface Window {
  ends: number;
  attempts: number;
}

/**
 * At most so many attempts of a source in a window of time, which begins with its first. Sources are known up
 * to a bound: past it the one longest known is forgotten, which costs an attacker as many addresses. What is
 * guarded is not guessable; this only bounds the work.
 */
export function createAttemptLimit(options: {
  attemptsMax: number;
  windowSeconds: number;
  sourcesMax: number;
}): AttemptLimit {
  const { attemptsMax, windowSeconds, sourcesMax } = options;
  const windows = new Map<string, Window>();

  const current = (source: string, now: number): Window => {
    const known = windows.get(source);
    if (known !== undefined && known.ends > now) return known;
    windows.delete(source);
    const oldest = windows.keys().next().value;
    if (windows.size >= sourcesMax && oldest !== undefined) windows.delete(oldest);
    const started = { ends: now + windowSeconds * 1000, attempts: 0 };
    windows.set(source, started);
    return started;
  };

  return {
    count: (source) => {
      const now = performance.now();
      const window = current(source, now);
      window.attempts += 1;
      if (window.attempts <= attemptsMax) return;
      const retryAfterSeconds = Math.max(1, Math.ceil((window.ends - now) / 1000));
      throw new CofferError('too_many_requests', 'Too many attempts from this address.', {
        retryAfterSeconds,
      });
    },
  };
}
