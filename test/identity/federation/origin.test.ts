import { describe, expect, it } from 'vitest';
import { createTokens } from '../../../src/identity/tokens.ts';
import { forge, headerOf, ISSUER, makeKey, NOW, wholeClaims } from '../signing.ts';

const key = await makeKey('key-1');
const tokens = createTokens(ISSUER, () => key);
const origin = { iss_id: 'issuer-1', iss_sub: 'web' };
const verify = (claims: object) => tokens.verify(forge(key, headerOf(key), claims), NOW);

describe('a token of an issuer', () => {
  it('names issuer and subject, in a project or in none', () => {
    expect(verify({ ...wholeClaims(), ...origin })).toMatchObject(origin);
    const { prj: _none, ...unscoped } = wholeClaims();
    expect(verify({ ...unscoped, ...origin })).toMatchObject(origin);
  });

  it.each<[string, object]>([
    ['an issuer without a subject', { iss_id: 'issuer-1' }],
    ['a subject without an issuer', { iss_sub: 'web' }],
    ['an empty issuer', { ...origin, iss_id: '' }],
    ['an issuer that is a list', { ...origin, iss_id: ['issuer-1'] }],
    ['a subject that is a number', { ...origin, iss_sub: 1 }],
    ['an issuer that is null', { ...origin, iss_id: null }],
    ['a domain', { ...origin, prj: undefined, dom: 'default' }],
    ['the system', { ...origin, prj: undefined, sys: true }],
    ['an application credential', { ...origin, app: 'app-1' }],
  ])('is refused with %s', (_what, change) => {
    expect(() => verify({ ...wholeClaims(), ...change })).toThrow(
      expect.objectContaining({ code: 'unauthorized' }),
    );
  });
});
