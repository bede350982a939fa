import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nameKey, parseName, parseUserName } from '../../src/identity/names.ts';
import { rounds } from '../harness/rounds.ts';

it('shows a name composed and without blanks around it', () => {
  expect(parseName('  Zoe\u0308 Müller\t', 'user')).toEqual({ name: 'Zoë Müller', key: 'zoë müller' });
});

it.each(['Admin', 'ADMIN', ' admin ', 'ａｄｍｉｎ', '\u{1d41a}dmin', 'ＡＤＭＩＮ'])(
  'takes %j for the name admin',
  (spelling) => {
    expect(nameKey(spelling)).toBe('admin');
  },
);

it.each(['', '   ', '\u0000', 'a\u0000b', 'a\nb', 'ad\u200bmin', 'ad\u00admin', '\u202enimda', 'a\u2028b'])(
  'refuses %j',
  (text) => {
    expect(() => parseName(text, 'user')).toThrow(expect.objectContaining({ code: 'bad_request' }));
  },
);

it('takes 255 characters and no more', () => {
  expect(parseName('x'.repeat(255), 'project').name).toHaveLength(255);
  expect(() => parseName('x'.repeat(256), 'project')).toThrow('255');
});

it('finds by its key every name that it lets in, however it is composed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (text) => {
      let parsed: ReturnType<typeof parseName>;
      try {
        parsed = parseName(text, 'user');
      } catch {
        return;
      }
      expect(nameKey(parsed.name)).toBe(parsed.key);
      expect(nameKey(text.normalize('NFD'))).toBe(parsed.key);
    }),
    { numRuns: rounds(5_000) },
  );
});

it.each([
  '\u0430dmin',
  'adm\u0456n',
  'Adm1n',
  'adrnin',
  'admín',
  'adm\u0131n',
  '\u0251dmin',
  'm\u0435mber',
  'cre\u0430tor',
  'k\u0435y-manager:service-admin',
  'ad\u3164min',
  '\u2800admin',
])('refuses %j, which looks like a built-in role', (text) => {
  for (const noun of ['user', 'project', 'role']) {
    expect(() => parseName(text, noun)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  }
});

it.each(['administrator', 'admins', 'Ольга', 'Ελένη', 'reader-2', 'адмін', 'İstanbul', '管理者', 'مدير'])(
  'takes %j, which only begins like one or is of another script',
  (text) => {
    expect(parseName(text, 'user').name).toBe(text.normalize('NFC'));
  },
);

it.each([
  'app:web',
  ' APP:Web',
  'ａｐｐ：web',
  'app\ufe55web',
  'app:',
  'issuer:ci',
  'i\u017f\u017fuer:ci',
  'Issuer\uff1aci',
])("refuses %j as a user's name: it is kept for an application or an issuer", (text) => {
  expect(() => parseUserName(text)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  expect(parseName(text, 'project').name).toBe(text.normalize('NFC').trim());
});

it.each(['app', 'apple:web', 'web-app:1', 'issuers', 'app web'])("takes %j for a user's name", (text) => {
  expect(parseUserName(text).name).toBe(text);
});
