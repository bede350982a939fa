import { createHmac, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALGORITHMS, candidatesOf, parseKeySet } from '../../../src/identity/federation/key-set.ts';
import { KeySetProblem } from '../../../src/identity/federation/key-set-fetch.ts';
import {
  JwtRefusal,
  type ProvenJwt,
  readJwt,
  requireClaims,
  requireSignature,
} from '../../../src/identity/federation/workload-jwt.ts';
import { rounds } from '../../harness/rounds.ts';
import { type Claims, makeKey, signJwt, type TestKey } from './test-issuer.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const SECONDS = NOW.getTime() / 1000;
const ISSUER = 'https://issuer.example.org';
const key = makeKey('ES256', 'known');
const demands = { issuer: ISSUER, audience: 'coffer', claims: new Map([['sub', 'web']]) };
const claims = (more: Claims = {}): Claims => ({
  iss: ISSUER,
  aud: 'coffer',
  sub: 'web',
  iat: SECONDS,
  exp: SECONDS + 60,
  ...more,
});
const without = (name: string): Claims =>
  Object.fromEntries(Object.entries(claims()).filter(([n]) => n !== name));

async function verify(token: string, ...keys: { jwk: object }[]): Promise<ProvenJwt> {
  const jwt = readJwt(token);
  const proven = requireClaims(jwt, demands, NOW);
  const set = parseKeySet(Buffer.from(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })));
  await requireSignature(jwt, candidatesOf(set, jwt.kid, jwt.alg));
  return proven;
}

const refuses = async (token: string, ...keys: { jwk: object }[]): Promise<void> => {
  await expect(verify(token, ...keys)).rejects.toBeInstanceOf(JwtRefusal);
};

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

describe('a JWT of an issuer', () => {
  it.each(ALGORITHMS)('is accepted with %s', async (alg) => {
    const made = makeKey(alg, 'k');
    expect(await verify(await signJwt(made, claims()), made)).toEqual({
      subject: 'web',
      expires: SECONDS + 60,
    });
  });

  it('is accepted by the key that it names, among others', async () => {
    const others = [makeKey('ES256'), makeKey('RS256'), key, makeKey('EdDSA')];
    expect((await verify(await signJwt(key, claims()), ...others)).subject).toBe('web');
  });

  it('is accepted without a kid by the one key that may have made it, and by none of two', async () => {
    const token = await signJwt(key, claims(), { kid: undefined });
    expect((await verify(token, key, makeKey('RS256'))).subject).toBe('web');
    await refuses(token, key, makeKey('ES256'));
  });

  it('is accepted with a clock half a minute off, and not past its end', async () => {
    expect(
      (await verify(await signJwt(key, claims({ iat: SECONDS + 30, nbf: SECONDS + 30 })), key)).subject,
    ).toBe('web');
    await refuses(await signJwt(key, claims({ iat: SECONDS + 31 })), key);
    await refuses(await signJwt(key, claims({ nbf: SECONDS + 31 })), key);
    await refuses(await signJwt(key, claims({ exp: SECONDS })), key);
  });

  it('is accepted for one of several audiences', async () => {
    expect((await verify(await signJwt(key, claims({ aud: ['other', 'coffer'] })), key)).subject).toBe('web');
  });
});

describe('refuses a JWT', () => {
  it('of another key, under the name of ours or its own', async () => {
    const foreign = makeKey('ES256', 'known');
    await refuses(await signJwt(foreign, claims()), key);
    await refuses(await signJwt(makeKey('ES256'), claims()), key);
    await refuses(await signJwt(key, claims()), makeKey('ES256'));
    await refuses(await signJwt({ ...foreign, kid: 'known' }, claims()), key, {
      jwk: { ...foreign.jwk, kid: 'x' },
    });
  });

  it.each(['none', 'None', 'HS256', 'HS512', 'ES512', 'ES256K', 'RSA1_5', 'Ed448', '', null, 1])(
    'with the algorithm %s',
    async (alg) => {
      const input = `${encode({ alg, kid: 'known' })}.${encode(claims())}`;
      const pem = Buffer.from(JSON.stringify(key.jwk));
      await refuses(`${input}.`, key);
      await refuses(`${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`, key);
    },
  );

  it('whose algorithm is not that of the key, by its type or by what its set says', async () => {
    const rsa = makeKey('RS256', 'known');
    await refuses(await signJwt(key, claims()), rsa);
    await refuses(await signJwt(rsa, claims()), key);
    await refuses(await signJwt({ ...rsa, alg: 'PS256' }, claims()), rsa);
    await refuses(await signJwt({ ...rsa, alg: 'RS512' }, claims()), rsa);
    const any = { ...rsa, jwk: { ...rsa.jwk, alg: undefined } };
    expect((await verify(await signJwt({ ...rsa, alg: 'PS256' }, claims()), any)).subject).toBe('web');
  });

  it.each<[string, object]>([
    ['a key of its own', { jwk: { kty: 'EC' } }],
    ['an address of keys', { jku: 'https://issuer.example.org/jwks' }],
    ['an address of a certificate', { x5u: 'https://issuer.example.org/x5u' }],
    ['a certificate', { x5c: ['AA'] }],
    ['another type', { typ: 'dpop+jwt' }],
    ['a type that is no text', { typ: 1 }],
    ['a kid that is no text', { kid: 1 }],
    ['a kid that is empty', { kid: '' }],
    ['a kid that is long', { kid: 'x'.repeat(256) }],
  ])('with %s in its header', async (_what, header) => {
    await refuses(await signJwt(key, claims(), header), key);
  });

  it('with critical extensions or an unencoded payload', async () => {
    for (const header of [{ crit: ['exp'] }, { crit: [] }, { b64: true }, { zip: 'DEF' }]) {
      const input = `${encode({ alg: 'ES256', kid: 'known', ...header })}.${encode(claims())}`;
      await refuses(`${input}.${'A'.repeat(86)}`, key);
    }
    const named = `${encode({ alg: 'ES256', kid: '__proto__' })}.${encode(claims())}.${'A'.repeat(86)}`;
    await refuses(named, key);
  });

  it.each(['iss', 'aud', 'sub', 'iat', 'exp'])('without %s', async (name) => {
    await refuses(await signJwt(key, without(name)), key);
  });

  it.each(['iss', 'aud', 'sub', 'iat', 'exp', 'nbf'])('with another type of %s', async (name) => {
    for (const value of [null, true, 0, -1, '', [], {}, [''], [1], { x: 1 }, ['coffer', 1], 'Infinity']) {
      await refuses(await signJwt(key, claims({ [name]: value })), key);
    }
  });

  it.each<[string, Claims]>([
    ['another issuer', { iss: 'https://issuer.example.org/' }],
    ['an issuer in other letters', { iss: 'https://Issuer.example.org' }],
    ['another audience', { aud: 'coffer2' }],
    ['another subject', { sub: 'web2' }],
    ['a subject in other letters', { sub: 'Web' }],
    ['a subject with a blank', { sub: 'web ' }],
    ['an audience that holds ours', { aud: 'coffer other' }],
  ])('of %s', async (_what, more) => {
    await refuses(await signJwt(key, claims(more)), key);
  });

  it('that lacks a demanded claim, has it as another type, or inherits it', async () => {
    const wanted = {
      ...demands,
      claims: new Map([
        ['repository', 'shop/web'],
        ['toString', 'x'],
      ]),
    };
    const jwt = readJwt(await signJwt(key, claims({ repository: 'shop/web' })));
    expect(() => requireClaims(jwt, wanted, NOW)).toThrow('the claim toString is missing');
    for (const repository of [['shop/web'], { 0: 'shop/web' }, 'shop/web2', true, null]) {
      const other = readJwt(await signJwt(key, claims({ repository })));
      expect(() => requireClaims(other, wanted, NOW)).toThrow('the claim repository has another value');
    }
  });

  it('for an issuer that demands nothing', async () => {
    const jwt = readJwt(await signJwt(key, claims()));
    expect(() => requireClaims(jwt, { ...demands, claims: new Map() }, NOW)).toThrow('demands no claim');
  });

  it('that is changed in any place', async () => {
    const token = await signJwt(key, claims());
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.= \n';
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.constantFrom(...alphabet.split('')),
        async (at, character) => {
          const changed = token.slice(0, at) + character + token.slice(at + 1);
          if (changed !== token) await refuses(changed, key);
        },
      ),
      { numRuns: rounds(2_000) },
    );
  });

  it('that spells its last character another way', async () => {
    const token = await signJwt(key, claims());
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (const last of alphabet.split('').filter((character) => character !== token.at(-1))) {
      await refuses(token.slice(0, -1) + last, key);
    }
  });

  it('that is not three parts of plain base64url, or is long', async () => {
    const token = await signJwt(key, claims());
    const [header = '', payload = '', signature = ''] = token.split('.');
    for (const wrong of [
      '',
      '..',
      `${header}.${payload}`,
      `${token}.${signature}`,
      ` ${token}`,
      `${token}\n`,
      `${header}=.${payload}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${encode('[]')}.${signature}`,
      `${header}.${encode('{"__proto__":{"sub":"web"}}')}.${signature}`,
      `${encode('null')}.${payload}.${signature}`,
    ]) {
      await refuses(wrong, key);
    }
    await refuses(await signJwt(key, claims({ long: 'x'.repeat(8_000) })), key);
  });

  it('never fails otherwise than by refusing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.json(),
        fc.json(),
        async (text, one, two) => {
          await refuses(text, key);
          await refuses(`${encode(one)}.${encode(two)}.${'A'.repeat(86)}`, key);
          await refuses(await signJwt(key, { ...claims(), sub: two }), key);
        },
      ),
      { numRuns: rounds(300) },
    );
  });
});

describe('a key set', () => {
  const parse = (value: unknown): number =>
    parseKeySet(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))).length;
  const rsaOf = (bits: number): object =>
    generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' });
  const alone = (change: object, of: TestKey = key) => ({ keys: [{ ...of.jwk, ...change }] });

  it('leaves out what may not verify, and keeps the rest', () => {
    const weak = rsaOf(1_024);
    const named = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' });
    const unfit = [
      weak,
      named,
      { kty: 'unknown' },
      null,
      1,
      'x',
      { ...key.jwk, use: 'enc' },
      { ...key.jwk, x: 1 },
    ];
    expect(parse({ keys: [...unfit, key.jwk] })).toBe(1);
    for (const one of unfit) expect(() => parse({ keys: [one] })).toThrow('no key that may verify');
  });

  it('has RSA keys of 2048 bits or more alone, however they are written', () => {
    expect(parse({ keys: [rsaOf(2_048)] })).toBe(1);
    const { n = '' } = rsaOf(1_024) as { n?: string };
    const padded = Buffer.concat([Buffer.alloc(256), Buffer.from(n, 'base64url')]).toString('base64url');
    expect(() => parse({ keys: [{ kty: 'RSA', e: 'AQAB', n: padded }] })).toThrow('no key that may verify');
    const slow = { ...rsaOf(2_048), e: Buffer.alloc(64, 255).toString('base64url') };
    expect(() => parse({ keys: [slow] })).toThrow('no key that may verify');
  });

  it('is for verifying', () => {
    expect(parse(alone({ use: undefined, key_ops: ['verify'] }))).toBe(1);
    for (const change of [
      { key_ops: ['sign'] },
      { key_ops: [] },
      { key_ops: 'verify' },
      { use: 'ENC' },
      { kid: 1 },
    ]) {
      expect(() => parse(alone(change))).toThrow('no key that may verify');
    }
  });

  it('with a private or secret key in it is refused as a whole', () => {
    const pair = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    expect(() => parse({ keys: [key.jwk, pair] })).toThrow('private or a secret key');
    expect(() => parse({ keys: [key.jwk, { kty: 'oct', k: 'c2VjcmV0' }] })).toThrow(
      'private or a secret key',
    );
  });

  it.each(['', '{', '[]', 'null', '{}', '{"keys":{}}', '{"keys":null}', '<html>', '"keys"', '{"keys":[]}'])(
    'is not %s',
    (text) => expect(() => parse(text)).toThrow(KeySetProblem),
  );

  it('has no more than a hundred keys', () => {
    expect(() => parse({ keys: Array.from({ length: 101 }, () => key.jwk) })).toThrow('more than 100');
  });
});
