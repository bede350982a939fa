import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combinePoints } from '../../src/crypto/secret-sharing.ts';
import { CofferError } from '../../src/errors.ts';
import { parseKeyring } from '../../src/keyring/master-keys.ts';
import { ShareCollection } from '../../src/keyring/share-collection.ts';
import { formatShare, parseShare, type Share } from '../../src/keyring/shares.ts';
import {
  formatSplitKeyring,
  isSplitKeyring,
  openSplitKeyring,
  parseSplit,
  parseSplitKeyring,
  resealKeyring,
  type SplitKeyring,
  splitKeyring,
} from '../../src/keyring/split-keyring.ts';
import { expectViolation, flipBit } from '../crypto/refusal.ts';
import * as reference from '../crypto/reference-sharing.ts';
import { rounds } from '../harness/rounds.ts';
import { fromHex, readVectors } from '../vectors/read-vectors.ts';

const vector = readVectors<reference.SplitVector>('split-keyring.json');
const CONTENT = Buffer.from(vector.content);
const INSTALLATION = fromHex(vector.installation);

const make = (threshold = 3, count = 5) =>
  splitKeyring({ path: './keys', installationId: INSTALLATION }, { threshold, count }, CONTENT);
const written = (share: Share): string => formatShare(share).toString('ascii');
const opened = (keyring: SplitKeyring, shares: readonly Share[]): string =>
  Buffer.from(openSplitKeyring(keyring, combinePoints(shares))).toString();

/** What was thrown; it shows nothing of these texts. */
function refusalOf(action: () => unknown, ...secrets: string[]): CofferError {
  try {
    action();
  } catch (error) {
    // The places in the code may begin like six digits of a share.
    const all = inspect(error, { showHidden: true }).replaceAll(/^ +at .*$/gm, '');
    for (const secret of secrets) {
      for (const part of secret.slice(15).split('-').filter(Boolean)) expect(all).not.toContain(part);
    }
    expect(error).toBeInstanceOf(CofferError);
    return error as CofferError;
  }
  return expect.unreachable('it was accepted');
}

describe('the golden split keyring', () => {
  it('is what a second implementation makes of its parts', () => {
    expect(reference.formatFile(vector)).toBe(vector.file);
    const [key, coefficients] = [fromHex(vector.key), vector.coefficients.map(fromHex)];
    const shares = vector.shares.map((_, at) => {
      return reference.formatShare(at + 1, vector.set, reference.valueAt(key, coefficients, at + 1));
    });
    expect(shares).toEqual(vector.shares);
  });

  it('opens with its shares, and is written again as it was', () => {
    const keyring = parseSplitKeyring('./keys', Buffer.from(vector.file));
    const shares = vector.shares.map(parseShare);
    expect(shares.map(written)).toEqual(vector.shares);
    expect(opened(keyring, [shares[4]!, shares[0]!, shares[2]!])).toBe(vector.content);
    expect(formatSplitKeyring(keyring).toString()).toBe(vector.file);
    expect(parseKeyring('./keys', CONTENT).activeId).toBe('mk-2026');
  });
});

describe('a split keyring', () => {
  it('is told from one in clear by its first bytes', () => {
    const { keyring } = make();
    const file = formatSplitKeyring(keyring);
    expect([isSplitKeyring(file), isSplitKeyring(CONTENT), isSplitKeyring(Buffer.of())]).toEqual([
      true,
      false,
      false,
    ]);
    expect(() => parseKeyring('./keys', file)).toThrow("begins with 'installation', 'key' or '#'");
    expect(file.toString()).not.toContain('0123456789abcdef0123456789abcdef');
  });

  it('opens under its own key and header alone', () => {
    const { keyring, shares } = make(2, 3);
    const key = combinePoints(shares);
    expectViolation(() => openSplitKeyring(keyring, flipBit(key, 77)));
    expectViolation(() => openSplitKeyring({ ...keyring, setId: flipBit(keyring.setId, 3) }, key));
    expectViolation(() => openSplitKeyring({ ...keyring, installationId: Buffer.alloc(16, 1) }, key));
    expectViolation(() => openSplitKeyring({ ...keyring, threshold: 3 }, key));
    expectViolation(() => openSplitKeyring({ ...keyring, count: 4 }, key));
    for (let bit = 0; bit < keyring.sealed.length * 8; bit += 1) {
      expectViolation(() => openSplitKeyring({ ...keyring, sealed: flipBit(keyring.sealed, bit) }, key));
    }
  });

  it('refuses a key that it does not commit to, though ciphertext and tag fit that key', () => {
    const { keyring, shares } = make(2, 2);
    const otherKey = combinePoints(make(2, 2).shares);
    const other = resealKeyring(keyring, otherKey, CONTENT);
    expect(Buffer.from(openSplitKeyring(other, otherKey)).toString()).toBe(vector.content);
    const mixed = Buffer.from(other.sealed);
    mixed.set(keyring.sealed.subarray(25, 57), 25);
    expectViolation(() => openSplitKeyring({ ...keyring, sealed: mixed }, otherKey));
    expectViolation(() => openSplitKeyring({ ...keyring, sealed: mixed }, combinePoints(shares)));
  });

  it('may get another content under the same shares', () => {
    const { keyring, shares } = make();
    const content = Buffer.from('installation …\n');
    const changed = resealKeyring(keyring, combinePoints(shares), content);
    expect(opened(changed, shares.slice(2))).toBe(content.toString());
    expect(changed.sealed.subarray(1, 25)).not.toEqual(keyring.sealed.subarray(1, 25));
  });

  it.each([
    ['another version', (file: string) => file.replace('keyring 1', 'keyring 2'), 'not known here'],
    [
      'a suite that is not known',
      (file: string) => file.replace('sealed 06', 'sealed 02'),
      'sealed in a way',
    ],
    ['a line more', (file: string) => `${file}#\n`, 'cut or altered'],
    ['a cut end', (file: string) => file.slice(0, -2), 'cut or altered'],
    ['capital digits', (file: string) => file.replace('a0a1', 'A0A1'), 'cut or altered'],
    ['a leading zero', (file: string) => file.replace('3/5', '03/5'), 'cut or altered'],
    ['more needed than there are', (file: string) => file.replace('3/5', '6/5'), 'cut or altered'],
    ['a single share', (file: string) => file.replace('3/5', '1/5'), 'cut or altered'],
    ['carriage returns', (file: string) => file.replaceAll('\n', '\r\n'), 'not known here'],
    ['next to nothing sealed', (file: string) => file.replace(/sealed .*/, 'sealed 06'), 'sealed in a way'],
  ])('is refused with %s', (_, change, why) => {
    const refusal = refusalOf(() => parseSplitKeyring('./keys', Buffer.from(change(vector.file))));
    expect(refusal.code).toBe('configuration');
    expect(refusal.message).toContain(why);
  });

  it.each(['', '3', '3/', '1/3', '4/3', '2/256', '0/2', '03/5', '-2/3', '2/3/4', '2 / 3', '1e1/20'])(
    'is not split by %j',
    (text) => {
      expect(refusalOf(() => parseSplit(text)).message).toContain('a split is K/N');
    },
  );

  it('is split by what is written', () => {
    expect(parseSplit('2/2')).toEqual({ threshold: 2, count: 2 });
    expect(parseSplit('255/255')).toEqual({ threshold: 255, count: 255 });
  });
});

describe('a share', () => {
  it('is read however it was copied', () => {
    const [first = ''] = vector.shares;
    const same = (text: string) => expect(written(parseShare(text))).toBe(first);
    same(first.toUpperCase());
    same(` ${first.replaceAll('-', ' - ')}\r\n`);
    same(`coffer-share-1-${first.slice(15).replaceAll('-', '')}`);
    same(`coffer-share-1-${first.slice(15).replaceAll('0', 'O').replaceAll('1', 'l')}`);
  });

  it('with any digit mistyped, swapped with the next or left out is refused, and not shown', () => {
    const [, , third = ''] = vector.shares;
    const digits = third.slice(15);
    for (let at = 0; at < digits.length; at += 1) {
      if (digits[at] === '-') continue;
      const other = digits[at] === '7' ? '8' : '7';
      const wrong = [
        digits.slice(0, at) + other + digits.slice(at + 1),
        digits.slice(0, at) + digits.slice(at + 1),
        `${digits.slice(0, at)}u${digits.slice(at + 1)}`,
      ];
      const [a, b] = [digits[at], digits[at + 1]];
      if (b !== undefined && b !== '-' && a !== b) {
        wrong.push(`${digits.slice(0, at)}${b}${a}${digits.slice(at + 2)}`);
      }
      for (const text of wrong) {
        const share = `coffer-share-1-${text}`;
        expect(refusalOf(() => parseShare(share), share).message).toContain('mistyped or cut');
      }
    }
  });

  it.each([
    ['', 'begins with coffer-share-1-'],
    ['coffer-share-', 'begins with coffer-share-1-'],
    ['correct horse battery staple', 'begins with coffer-share-1-'],
    ['coffer-share-2-000000', 'version that is not known'],
    ['coffer-share-1-', 'mistyped'],
    ['coffer-share-1-é', 'mistyped'],
  ])('is not %j', (text, why) => {
    const refusal = refusalOf(() => parseShare(text));
    expect([refusal.code, refusal.message]).toEqual(['bad_request', expect.stringContaining(why)]);
  });

  it('of any number, set and value is read as it was written', () => {
    const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const property = fc.property(
      fc.integer({ min: 1, max: 255 }),
      bytesOf(8),
      bytesOf(32),
      (number, setId, value) => {
        const text = written({ number, setId, value });
        expect(text).toBe(
          reference.formatShare(number, Buffer.from(setId).toString('hex'), Buffer.from(value)),
        );
        expect(parseShare(text)).toEqual({ number, setId, value });
      },
    );
    fc.assert(property, { numRuns: rounds(1_000) });
  });
});

describe('shares that come in', () => {
  const copies = (shares: readonly Share[]): Share[] => shares.map((share) => parseShare(written(share)));

  it('open the keyring with the last that is needed, and are wiped', () => {
    const { keyring, shares } = make();
    const collection = new ShareCollection([keyring]);
    const given = copies(shares).slice(1, 4);
    for (const [at, share] of given.entries()) {
      expect([collection.given, collection.threshold, collection.isComplete]).toEqual([at, 3, false]);
      collection.add(share);
    }
    expect([collection.given, collection.isComplete]).toEqual([3, true]);
    for (const { value } of given) expect(value).toEqual(new Uint8Array(32));
    const keys = collection.takeKeys();
    const [key = new Uint8Array()] = keys.values();
    expect(Buffer.from(openSplitKeyring(keyring, key)).toString()).toBe(vector.content);
    const late = copies(shares)[0]!;
    collection.add(late);
    expect([collection.given, late.value]).toEqual([3, new Uint8Array(32)]);
  });

  it('of another keyring, of an earlier split, given twice or beyond the count are told apart', () => {
    const { keyring, shares } = make();
    const collection = new ShareCollection([keyring]);
    const [first, second] = copies(shares);
    collection.add(first!);
    const refuse = (share: Share, why: string): void => {
      expect(refusalOf(() => collection.add(share), written(share)).message).toContain(why);
      expect(share.value).toEqual(new Uint8Array(32));
      expect(collection.given).toBe(1);
    };
    refuse(copies(make().shares)[0]!, 'of another keyring, or of an earlier split');
    refuse(copies(shares)[0]!, 'Share 1 was given already');
    refuse({ ...second!, number: 1, value: Uint8Array.from(second!.value) }, 'Share 1 was given already');
    refuse({ ...copies(shares)[1]!, number: 6 }, 'a number that none');
  });

  it('with one forged among them open nothing, are all dropped, and leave room for the right ones', () => {
    const { keyring, shares } = make();
    const collection = new ShareCollection([keyring]);
    const given = copies(shares).slice(0, 3);
    given[1]!.value[9]! ^= 1;
    collection.add(given[0]!);
    collection.add(given[1]!);
    expect(refusalOf(() => collection.add(given[2]!), written(shares[2]!)).message).toContain('begin again');
    for (const { value } of given) expect(value).toEqual(new Uint8Array(32));
    expect([collection.given, collection.isComplete]).toEqual([0, false]);
    for (const share of copies(shares).slice(0, 3)) collection.add(share);
    expect(collection.isComplete).toBe(true);
  });

  it('of a keyring that was altered open nothing', () => {
    const { keyring, shares } = make(2, 2);
    const collection = new ShareCollection([{ ...keyring, sealed: flipBit(keyring.sealed, 600) }]);
    const [first, second] = copies(shares);
    collection.add(first!);
    expect(refusalOf(() => collection.add(second!)).message).toContain('the file was altered');
  });

  it('open several keyrings, each with its own', () => {
    const [one, other] = [make(2, 3), make(3, 3)];
    const collection = new ShareCollection([one.keyring, other.keyring]);
    const all = [...copies(one.shares).slice(0, 2), ...copies(other.shares)];
    expect(collection.threshold).toBe(5);
    for (const share of all.toReversed()) collection.add(share);
    expect([collection.given, collection.isComplete, collection.takeKeys().size]).toEqual([5, true, 2]);
  });

  it('are forgotten when told so, with the keys that they gave', () => {
    const [one, other] = [make(2, 3), make(2, 3)];
    const collection = new ShareCollection([one.keyring, other.keyring]);
    for (const share of copies(one.shares).slice(0, 2)) collection.add(share);
    const left = copies(other.shares)[0]!;
    collection.add(left);
    collection.wipeShares();
    expect([collection.given, left.value]).toEqual([2, new Uint8Array(32)]);
    collection.close();
    expect([collection.given, collection.takeKeys().size]).toEqual([0, 0]);
  });
});
