import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAttemptLimit } from '../../src/http/attempt-limit.ts';

afterEach(() => vi.restoreAllMocks());

const limitOf = (sourcesMax = 3) => createAttemptLimit({ attemptsMax: 2, windowSeconds: 60, sourcesMax });
const later = (seconds: number): void => {
  const now = performance.now() + seconds * 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
};

describe('attempts of a source', () => {
  it('past the bound are refused until its window ends, with the time left', () => {
    const limit = limitOf();
    limit.count('a');
    later(20);
    limit.count('a');
    expect(() => limit.count('a')).toThrow(
      expect.objectContaining({ code: 'too_many_requests', retryAfterSeconds: 40 }),
    );
    limit.count('b');
    later(41);
    limit.count('a');
  });

  it('are remembered for so many sources, the oldest forgotten first', () => {
    const limit = limitOf();
    for (const source of ['a', 'a', 'b', 'b', 'c', 'c']) limit.count(source);
    for (const source of ['a', 'b', 'c']) expect(() => limit.count(source)).toThrow('Too many');
    limit.count('d');
    for (const source of ['b', 'c']) expect(() => limit.count(source)).toThrow('Too many');
    limit.count('a');
  });
});
