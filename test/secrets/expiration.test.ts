import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasEnded, parseExpiration, parseIsoTime } from '../../src/secrets/expiration.ts';

const NOW = new Date('2026-11-21T02:00:00.000Z');

describe('parseIsoTime', () => {
  it.each([
    ['2030', '2030-01-01T00:00:00.000Z'],
    ['2030-05', '2030-05-01T00:00:00.000Z'],
    ['2030-01-01', '2030-01-01T00:00:00.000Z'],
    ['20300102', '2030-01-02T00:00:00.000Z'],
    ['2030-1-2', '2030-01-02T00:00:00.000Z'],
    ['2030-02-28T19:14:44.180394', '2030-02-28T19:14:44.180Z'],
    ['2030-02-28 19:14:44,180994', '2030-02-28T19:14:44.180Z'],
    ['2030-02-28T19:14:44Z', '2030-02-28T19:14:44.000Z'],
    ['2030-02-28T19:14:44.1Z', '2030-02-28T19:14:44.100Z'],
    ['2030-02-28T19:14:44.000000000000000000001Z', '2030-02-28T19:14:44.000Z'],
    ['2030-02-28T12:14:44.180394-05:00', '2030-02-28T17:14:44.180Z'],
    ['2030-02-28T12:14:44+01', '2030-02-28T11:14:44.000Z'],
    ['2030-02-28T12:14:44+0530', '2030-02-28T06:44:44.000Z'],
    ['2030-02-28T12', '2030-02-28T12:00:00.000Z'],
    ['2030-02-28T12:30Z', '2030-02-28T12:30:00.000Z'],
    ['20300228T123044Z', '2030-02-28T12:30:44.000Z'],
    ['2032-02-29', '2032-02-29T00:00:00.000Z'],
    ['0099-01-01', '0099-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999Z'],
  ])('reads %s', (text, iso) => {
    expect(parseIsoTime(text)?.toISOString()).toBe(iso);
  });

  it.each([
    '',
    'nonsense',
    '203005',
    '2030-02-30',
    '2030-02-29',
    '2030-13-01',
    '2030-00-01',
    '2030-01-00',
    '2030-01-01T24:00:00',
    '2030-01-01T23:60:00',
    '2016-12-31T23:59:60Z',
    '2030-01-01T00:00:00-5:00',
    '2030-01-01T00:00:00+24:00',
    '2030-01-01T00:00:00+99:00',
    '2030-01-01t00:00:00z',
    '2030-01-01T',
    '2030-01-01T00:00:00.',
    '2030-01-01T00:00:00 Z',
    '2030-01T00:00:00',
    ' 2030-01-01',
    '2030-01-01\n',
    '+2030-01-01',
    '12030-01-01',
    '0000-01-01',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    '1800000000',
    '٢٠٣٠-01-01',
    'infinity',
  ])('refuses %j', (text) => {
    expect(parseIsoTime(text)).toBeUndefined();
  });

  it('reads back every millisecond that it may have written, in any zone', () => {
    const min = new Date('0001-01-03T00:00:00Z');
    const max = new Date('9999-12-30T00:00:00Z');
    const date = fc.date({ min, max, noInvalidDate: true });
    const minutes = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
    fc.assert(
      fc.property(date, minutes, (instant, offset) => {
        const local = new Date(instant.getTime() + offset * 60_000).toISOString().slice(0, -1);
        const size = Math.abs(offset);
        const zone = [Math.floor(size / 60), size % 60]
          .map((part) => String(part).padStart(2, '0'))
          .join(':');
        expect(parseIsoTime(`${local}${offset < 0 ? '-' : '+'}${zone}`)).toEqual(instant);
      }),
    );
  });

  it('never throws and never gives an invalid date', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9TZ :.,+-]{0,30}$/), (text) => {
        const date = parseIsoTime(text);
        expect(date === undefined || !Number.isNaN(date.getTime())).toBe(true);
      }),
    );
  });
});

describe('parseExpiration', () => {
  const words = (reason: string) =>
    `Provided object does not match schema 'Secret': ${reason}. Invalid property: 'expiration'`;

  it('takes blanks for no end at all', () => {
    expect(parseExpiration('', NOW, 'Secret')).toBeNull();
    expect(parseExpiration('  \t', NOW, 'Secret')).toBeNull();
  });

  it('refuses what cannot be read', () => {
    expect(() => parseExpiration('nonsense', NOW, 'Secret')).toThrow(words("Invalid date for 'expiration'"));
  });

  it('refuses this very instant and all before, also when only the microseconds are later', () => {
    const past = words("'expiration' is before current time");
    for (const text of [
      '2000-01-01',
      '2026-11-21T02:00:00',
      '2026-11-21T02:00:00.000999',
      '2026-11-21T03:00+01',
    ]) {
      expect(() => parseExpiration(text, NOW, 'Secret')).toThrow(past);
    }
    expect(parseExpiration('2026-11-21T02:00:00.001', NOW, 'Secret')).toEqual(new Date(NOW.getTime() + 1));
  });
});

it('has ended at its end, not before, and never without one', () => {
  expect(hasEnded({ expiration: null }, NOW)).toBe(false);
  expect(hasEnded({ expiration: NOW }, NOW)).toBe(true);
  expect(hasEnded({ expiration: new Date(NOW.getTime() + 1) }, NOW)).toBe(false);
});
