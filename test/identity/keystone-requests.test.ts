import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import { parseLogin } from '../../src/identity/keystone-requests.ts';
import { rounds } from '../harness/rounds.ts';

const byName = { name: 'demo', password: 'pw', domain: { name: 'Default' } };
const login = (user: unknown, scope?: unknown) => ({
  auth: {
    identity: { methods: ['password'], password: { user } },
    ...(scope === undefined ? {} : { scope }),
  },
});
const userOf = (user: unknown) => parseLogin(login(user)).password?.user;
const scopeOf = (scope: unknown) => parseLogin(login(byName, scope)).scope;

describe('who logs in', () => {
  it.each([
    ['a name and the name of the domain', byName, { name: 'demo' }],
    ['the domain in other letters', { ...byName, domain: { name: 'DEFAULT' } }, { name: 'demo' }],
    ['a name and the id of the domain', { ...byName, domain: { id: 'default' } }, { name: 'demo' }],
    ['both of the domain', { ...byName, domain: { id: 'default', name: 'Default' } }, { name: 'demo' }],
    ['an id', { id: 'abc', password: 'pw' }, { id: 'abc' }],
    ['an id and a domain', { id: 'abc', password: 'pw', domain: { id: 'other' } }, { id: 'abc' }],
    ['a domain that is not there', { ...byName, domain: { name: 'Other' } }, { id: '' }],
    ['a domain that differs in itself', { ...byName, domain: { id: 'other', name: 'Default' } }, { id: '' }],
  ])('is told by %s', (_how, user, expected) => {
    expect(userOf(user)).toEqual(expected);
  });

  it('may have any text for a password', () => {
    for (const password of ['', ' ', '\u0000', 'pässwörd', 'x'.repeat(20_000)]) {
      expect(parseLogin(login({ ...byName, password })).password?.password).toBe(password);
    }
  });

  it('may bring a token', () => {
    const auth = { identity: { methods: ['token'], token: { id: 'abc' } }, scope: 'unscoped' };
    expect(parseLogin({ auth })).toEqual({ token: 'abc', scope: { kind: 'unscoped' } });
  });
});

describe('the scope', () => {
  it.each([
    [undefined, undefined],
    [{ project: { id: 'p1' } }, { kind: 'project', project: { id: 'p1' } }],
    [{ project: { name: 'p', domain: { id: 'default' } } }, { kind: 'project', project: { name: 'p' } }],
    [{ project: { name: 'p', domain: { name: 'x' } } }, { kind: 'project', project: { id: '' } }],
    ['unscoped', { kind: 'unscoped' }],
    [{ unscoped: {} }, { kind: 'unscoped' }],
    [{ system: { all: true } }, { kind: 'system' }],
    [{ domain: { id: 'default' } }, { kind: 'domain', id: 'default' }],
    [{ domain: { name: ' DEFAULT' } }, { kind: 'domain', id: 'default' }],
    [{ domain: { name: 'x' } }, { kind: 'domain', id: '' }],
    [{ 'OS-TRUST:trust': { id: 'x' } }, { kind: 'unsupported' }],
  ])('%j is understood', (scope, expected) => {
    expect(scopeOf(scope)).toEqual(expected);
  });

  it.each([
    null,
    5,
    'everything',
    [],
    {},
    { nothing: 1 },
    { project: null },
    { project: {} },
    { project: { name: 'p' } },
    { project: { name: 'p', domain: {} } },
    { project: { id: 5 } },
    { project: { id: 'p' }, domain: { id: 'default' } },
    { project: { id: 'p' }, unscoped: {} },
    { domain: {} },
    { domain: 'default' },
    { system: {} },
    { system: 'all' },
    { system: { all: 'true' } },
    { system: { all: true }, project: { id: 'p' } },
  ])('%j is malformed', (scope) => {
    expect(() => scopeOf(scope)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });
});

it.each<[string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['a list', []],
  ['a text', 'auth'],
  ['an empty object', {}],
  ['no identity', { auth: {} }],
  ['no methods', { auth: { identity: {} } }],
  ['methods that are a text', { auth: { identity: { methods: 'password' } } }],
  ['no method', { auth: { identity: { methods: [] } } }],
  ['a method that is a number', { auth: { identity: { methods: [1] } } }],
  ['a method without its part', { auth: { identity: { methods: ['password'] } } }],
  ['a user that is a text', login('demo')],
  ['a user without a name', login({ password: 'pw' })],
  ['a user without a domain', login({ name: 'demo', password: 'pw' })],
  ['a user without a password', login({ name: 'demo', domain: { name: 'Default' } })],
  ['a password that is a number', login({ ...byName, password: 5 })],
  ['an id that is a number', login({ ...byName, id: 5 })],
  ['a domain that says nothing', login({ ...byName, domain: {} })],
  ['a token without an id', { auth: { identity: { methods: ['token'], token: {} } } }],
])('answers %s with 400 in the words of Keystone', (_what, body) => {
  expect(() => parseLogin(body)).toThrow(
    expect.objectContaining({
      code: 'bad_request',
      message: expect.stringMatching(/^Expecting to find .+ in .+\. The server could not comply/),
    }),
  );
});

it.each([['application_credential', 'password'], ['totp'], ['oauth1'], ['password', 'totp']])(
  'answers the methods %j with 401',
  (...methods) => {
    const body = { auth: { identity: { methods, password: { user: byName } } } };
    expect(() => parseLogin(body)).toThrow(expect.objectContaining({ code: 'unauthorized' }));
  },
);

it('answers any JSON with a request, 400 or 401', () => {
  const near = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('password', 'token', 'default', 'x', null, true, 1, ''),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(
        fc.constantFrom(
          'auth',
          'identity',
          'methods',
          'password',
          'user',
          'name',
          'id',
          'domain',
          'scope',
          'project',
        ),
        tie('value'),
        { maxKeys: 5 },
      ),
    ),
  })).value;
  fc.assert(
    fc.property(
      fc.oneof(
        near,
        near.map((auth) => ({ auth })),
        near.map((user) => login(user)),
      ),
      (body) => {
        try {
          parseLogin(body);
        } catch (error) {
          if (!(error instanceof CofferError)) throw error;
          expect(['bad_request', 'unauthorized']).toContain(error.code);
        }
      },
    ),
    { numRuns: rounds(10_000) },
  );
});
