import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Jwt } from '../../src/identity/jwt.ts';
import { createTokens, type SigningKey, type Tokens } from '../../src/identity/tokens.ts';
import { cpuTime } from '../harness/cpu-time.ts';
import { rounds } from '../harness/rounds.ts';
import { encode, forge, headerOf, ISSUER, makeKey, NOW, SECONDS, wholeClaims } from './signing.ts';

const key = await makeKey('key-1');
const grant = {
  sub: 'user-1',
  prj: 'project-1',
  iat: SECONDS,
  ms: 123,
  exp: SECONDS + 60,
  methods: ['password'],
};
let known: Map<string, SigningKey>;
let tokens: Tokens;

beforeEach(() => {
  known = new Map([[key.id, key]]);
  tokens = createTokens(ISSUER, (id) => known.get(id));
});

const isRefused = (token: string, now = NOW) =>
  expect(() => tokens.verify(token, now)).toThrow(expect.objectContaining({ code: 'unauthorized' }));

describe('a token of ours', () => {
  it('says who, where and until when, and no role', () => {
    const { token, claims } = tokens.sign(key, grant);
    expect(tokens.verify(token, NOW)).toEqual(claims);
    expect(Object.keys(claims)).toEqual([
      'iss',
      'aud',
      'sub',
      'prj',
      'jti',
      'iat',
      'ms',
      'exp',
      'methods',
      'audit_ids',
    ]);
  });

  it('is verified by another server with the same keys', () => {
    const { token, claims } = tokens.sign(key, grant);
    expect(createTokens(ISSUER, (id) => known.get(id)).verify(token, NOW)).toEqual(claims);
  });

  it('names first itself and then the first of its line', () => {
    const first = tokens.sign(key, grant).claims;
    const second = tokens.sign(key, grant, first).claims;
    const third = tokens.sign(key, grant, second).claims;
    expect(first.audit_ids).toEqual([first.jti]);
    expect(second.audit_ids).toEqual([second.jti, first.jti]);
    expect(third.audit_ids).toEqual([third.jti, first.jti]);
  });

  it('ends with its key at the latest', async () => {
    const short = await makeKey('short', new Date(NOW.getTime() + 10_000));
    expect(tokens.sign(short, grant).claims.exp).toBe(SECONDS + 10);
  });

  it('is never longer than 4 KiB', () => {
    expect(() => tokens.sign(key, { ...grant, sub: 'x'.repeat(4_000) })).toThrow('longer');
  });

  it('is refused from the second in which it ends, though it was good before', () => {
    const { token } = tokens.sign(key, grant);
    expect(tokens.verify(token, new Date(NOW.getTime() + 59_999)).sub).toBe('user-1');
    isRefused(token, new Date(NOW.getTime() + 60_000));
  });

  it('is refused once its key is no longer known, though it was good before', () => {
    const { token } = tokens.sign(key, grant);
    tokens.verify(token, NOW);
    known.clear();
    isRefused(token);
  });

  it('is refused from the future, beyond what clocks differ', () => {
    const { token } = tokens.sign(key, { ...grant, iat: SECONDS + 20, exp: SECONDS + 900 });
    expect(tokens.verify(token, NOW).iat).toBe(SECONDS + 20);
    isRefused(tokens.sign(key, { ...grant, iat: SECONDS + 31, exp: SECONDS + 900 }).token);
  });

  it('is refused with any character replaced, removed or added', () => {
    const { token } = tokens.sign(key, grant);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.= \n';
    fc.assert(
      fc.property(
        fc.nat(token.length - 1),
        fc.constantFrom(...alphabet.split('')),
        fc.constantFrom('replace', 'remove', 'add'),
        (at, character, how) => {
          const middle = { replace: character, remove: '', add: character + token.charAt(at) }[how];
          const changed = token.slice(0, at) + middle + token.slice(at + 1);
          if (changed !== token) isRefused(changed);
        },
      ),
      { numRuns: rounds(20_000) },
    );
  });

  it('has one spelling of its signature', () => {
    const { token } = tokens.sign(key, grant);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const good = alphabet.split('').filter((last) => {
      try {
        return tokens.verify(token.slice(0, -1) + last, NOW).sub === 'user-1';
      } catch {
        return false;
      }
    });
    expect(good).toEqual([token.at(-1)]);
  });
});

describe('of tokens that others make', () => {
  it('refuses every algorithm but EdDSA', () => {
    const payload = encode(wholeClaims());
    const signatureOf = (input: string, secret: string) =>
      createHmac('sha256', secret).update(input).digest('base64url');
    for (const alg of ['none', 'None', 'NONE', 'HS256', 'RS256', 'ES256', 'eddsa', 'Ed25519', '', null, 1]) {
      const input = `${encode({ alg, typ: 'JWT', kid: key.id })}.${payload}`;
      const raw = Buffer.from(key.publicKeyPem.split('\n')[1] ?? '', 'base64');
      isRefused(`${input}.`);
      isRefused(`${input}.${signatureOf(input, key.publicKeyPem)}`);
      isRefused(`${input}.${signatureOf(input, raw.toString('latin1'))}`);
      isRefused(`${input}.${sign(null, Buffer.from(input), key.privateKey).toString('base64url')}`);
    }
  });

  it('refuses the keys of others, under their name or ours', async () => {
    const foreign = await makeKey('foreign');
    isRefused(forge(foreign, headerOf(foreign), wholeClaims()));
    isRefused(forge(foreign, headerOf(key), wholeClaims()));
    isRefused(tokens.sign(foreign, grant).token);
    const curve = generateKeyPairSync('ed448');
    const input = `${encode(headerOf(key))}.${encode(wholeClaims())}`;
    isRefused(`${input}.${sign(null, Buffer.from(input), curve.privateKey).toString('base64url')}`);
  });

  it('refuses a key that is past its end', async () => {
    const old = await makeKey('old', new Date(NOW.getTime() - 1));
    known.set('old', old);
    isRefused(forge(old, headerOf(old), wholeClaims()));
  });

  // Each is signed by our own key: nothing but the header is wrong.
  it.each<[string, unknown]>([
    ['without a kid', { alg: 'EdDSA', typ: 'JWT' }],
    ['a kid that is a number', { alg: 'EdDSA', typ: 'JWT', kid: 1 }],
    ['a kid that is a list', { alg: 'EdDSA', typ: 'JWT', kid: ['key-1'] }],
    ['a kid that is a path', { alg: 'EdDSA', typ: 'JWT', kid: '../../dev/null' }],
    ['a kid that is SQL', { alg: 'EdDSA', typ: 'JWT', kid: "' OR 1=1 --" }],
    ['a kid of every object', { alg: 'EdDSA', typ: 'JWT', kid: '__proto__' }],
    ['a key of its own', { ...headerOf(key), jwk: { kty: 'OKP', crv: 'Ed25519', x: 'AA' } }],
    ['an address of keys', { ...headerOf(key), jku: 'http://127.0.0.1/jwks' }],
    ['an address of a certificate', { ...headerOf(key), x5u: 'http://127.0.0.1/x5u' }],
    ['a certificate', { ...headerOf(key), x5c: ['AA'] }],
    ['critical extensions', { ...headerOf(key), crit: ['exp'] }],
    ['no critical extensions', { ...headerOf(key), crit: [] }],
    ['an unencoded payload', { ...headerOf(key), b64: false, crit: ['b64'] }],
    ['another type', { ...headerOf(key), typ: 'at+jwt' }],
    ['a content type', { ...headerOf(key), cty: 'JWT' }],
    ['another order of names', { kid: 'key-1', typ: 'JWT', alg: 'EdDSA' }],
    ['a name twice', '{"alg":"none","alg":"EdDSA","typ":"JWT","kid":"key-1"}'],
    ['blanks', '{"alg": "EdDSA", "typ": "JWT", "kid": "key-1"}'],
    ['a list', [headerOf(key)]],
    ['null', 'null'],
    ['no JSON', 'EdDSA EdDSA EdDSA'],
  ])('refuses a header with %s', (_what, header) => {
    isRefused(forge(key, header, wholeClaims()));
  });

  it('accepts the same from our own key with our own header, so that the tests above test something', () => {
    expect(tokens.verify(forge(key, headerOf(key), wholeClaims()), NOW)).toEqual(wholeClaims());
    const { prj: _none, ...unscoped } = wholeClaims();
    expect(tokens.verify(forge(key, headerOf(key), unscoped), NOW)).toEqual(unscoped);
    for (const scope of [{ dom: 'default' }, { sys: true }, { prj: 'p', app: 'a' }]) {
      const scoped = { ...unscoped, ...scope };
      expect(tokens.verify(forge(key, headerOf(key), scoped), NOW)).toEqual(scoped);
    }
  });

  const names = ['iss', 'aud', 'sub', 'jti', 'iat', 'ms', 'exp', 'methods', 'audit_ids'] as const;
  it.each(names)('refuses one without %s', (name) => {
    const { [name]: _left, ...rest } = wholeClaims();
    isRefused(forge(key, headerOf(key), rest));
  });

  it.each(['dom', 'sys', 'app'])('refuses every other type of %s', (name) => {
    const wrong = [null, false, 0, 1, '', [], ['x'], {}, ...(name === 'sys' ? ['true'] : [true])];
    const { prj, ...unscoped } = wholeClaims();
    for (const value of wrong) {
      const claims = { ...unscoped, ...(name === 'app' ? { prj } : {}), [name]: value };
      isRefused(forge(key, headerOf(key), claims));
    }
  });

  it.each([...names, 'prj' as const])('refuses every other type of %s', (name) => {
    const wrong = [null, true, 0, -1, 1.5, 1e300, '', 'x', [], [''], [1], ['x', null], {}, { x: 1 }, [['x']]];
    const { [name]: good } = wholeClaims();
    for (const value of wrong) {
      const isGood = (name === 'sub' || name === 'prj') && value === 'x';
      const isList = name === 'methods' && Array.isArray(value) && value.length === 1 && value[0] === 'x';
      if (
        isGood ||
        isList ||
        (name === 'ms' && value === 0) ||
        (typeof good === 'number' && value === SECONDS)
      )
        continue;
      isRefused(forge(key, headerOf(key), { ...wholeClaims(), [name]: value }));
    }
  });

  it.each([
    ['two scopes', { dom: 'default' }],
    ['a project and the system', { sys: true }],
    ['an application credential of no project', { prj: undefined, app: 'a' }],
    ['another issuer', { iss: 'coffer:other' }],
    ['another audience', { aud: 'barbican' }],
    ['more audiences', { aud: ['coffer', 'other'] }],
    ['times as texts', { exp: String(SECONDS + 60) }],
    ['a claim that we do not know', { roles: ['admin'] }],
    ['a start of its own', { nbf: SECONDS }],
    ['a first audit id that is not its own', { audit_ids: ['other', 'jti-1'] }],
  ])('refuses one with %s', (_what, change) => {
    isRefused(forge(key, headerOf(key), { ...wholeClaims(), ...change }));
  });

  it('refuses a claim that stands there twice', () => {
    const text = JSON.stringify(wholeClaims());
    isRefused(forge(key, headerOf(key), text.replace('"sub":', '"sub":"root","sub":')));
    isRefused(forge(key, headerOf(key), text.replace('{', '{"__proto__":{"sub":"root"},')));
    isRefused(forge(key, headerOf(key), ` ${text}`));
  });

  it('refuses what is not three parts of plain base64url', () => {
    const { token } = tokens.sign(key, grant);
    const [header = '', payload = '', signature = ''] = token.split('.');
    for (const wrong of [
      '',
      '.',
      '..',
      '...',
      header,
      `${header}.${payload}`,
      `${token}.`,
      `${token}.${signature}`,
      `.${token}`,
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      `${token}\0`,
      `${header}=.${payload}.${signature}`,
      `${header}.${payload}==.${signature}`,
      `${header}.${payload}.${signature}==`,
      `${header}.${payload.slice(0, 4)} ${payload.slice(4)}.${signature}`,
      `${header}.${payload.slice(0, 4)}\n${payload.slice(4)}.${signature}`,
      `${header}.${payload}.${signature.replaceAll('-', '+').replaceAll('_', '/')}+`,
      `${header}.${payload}.`,
      `Bearer ${token}`,
      JSON.stringify({ protected: header, payload, signature }),
    ]) {
      isRefused(wrong);
    }
  });

  it('refuses more than 4 KiB without looking further, and at once', () => {
    isRefused(forge(key, headerOf(key), { ...wholeClaims(), sub: 'x'.repeat(4_096) }));
    const started = cpuTime();
    isRefused('A'.repeat(50_000_000));
    isRefused(`${'A'.repeat(1_000)}.${'A'.repeat(3_000)}`);
    expect(cpuTime() - started).toBeLessThan(500);
  });

  it('never fails otherwise than by refusing', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.json(),
        fc.json(),
        (text, header, payload) => {
          isRefused(text);
          isRefused(forge(key, header, payload));
          isRefused(forge(key, headerOf(key), payload));
        },
      ),
      { numRuns: rounds(2_000) },
    );
  });
});

it('remembers no more than so many tokens, and forgets the oldest', () => {
  let count = 0;
  const counting: Jwt = {
    sign: key.jwt.sign,
    verify: ((token: string) => {
      count += 1;
      return key.jwt.verify(token);
    }) as Jwt['verify'],
  };
  const counted = createTokens(ISSUER, () => ({ ...key, jwt: counting }), 3);
  const made = Array.from({ length: 4 }, () => counted.sign(key, grant).token);
  for (const token of made) counted.verify(token, NOW);
  for (const token of made.slice(1)) counted.verify(token, NOW);
  expect(count).toBe(4);
  counted.verify(made[0] ?? '', NOW);
  expect(count).toBe(5);
});
