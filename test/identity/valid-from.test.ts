import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFromBefore, nextValidFrom } from '../../src/identity/valid-from.ts';
import { rounds } from '../harness/rounds.ts';
import { wholeClaims } from './signing.ts';

const claimsAt = (ms: number) => ({ ...wholeClaims(), iat: Math.floor(ms / 1000), ms: ms % 1000 });

describe('the moment from which on tokens count', () => {
  it('is past every token given until then, by a server whose clock is a second ahead too, and none after', () => {
    // Times of cut-offs, and of tokens between them; each token is dated by the newest cut-off of its time.
    const steps = fc.array(fc.tuple(fc.nat(1_500), fc.boolean(), fc.nat(999)), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(steps, (events) => {
        let now = 1_700_000_000_000;
        let validFrom: Date | null = null;
        let living: number[] = [];
        for (const [pause, cuts, ahead] of events) {
          now += pause;
          if (cuts) {
            validFrom = nextValidFrom(new Date(now), validFrom);
            for (const issued of living) expect(isFromBefore(claimsAt(issued), validFrom)).toBe(true);
            living = [];
            continue;
          }
          const issued = Math.max(now + ahead, validFrom?.getTime() ?? 0);
          expect(isFromBefore(claimsAt(issued), validFrom)).toBe(false);
          living.push(issued);
        }
      }),
      { numRuns: rounds(2_000) },
    );
  });

  it('is not there where nothing was cut off', () => {
    expect(isFromBefore(claimsAt(1), null)).toBe(false);
  });
});
