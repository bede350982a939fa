import { describe, expect, it } from 'vitest';
import { CofferError } from '../../../src/errors.ts';
import { asOauthError, parseTokenExchange } from '../../../src/identity/federation/token-exchange.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt';
const ID_TYPE = 'urn:ietf:params:oauth:token-type:id_token';

describe('the form of a token exchange', () => {
  it('names the JWT, and what it is for', () => {
    const parse = (body: string) => parseTokenExchange(Buffer.from(body));
    const form = `grant_type=${encodeURIComponent(GRANT)}&subject_token=a.b.c&subject_token_type=${JWT_TYPE}`;
    expect(parse(form)).toEqual({ jwt: 'a.b.c', audience: undefined });
    expect(parse(`${form}&audience=&scope=x&resource=y`)).toEqual({ jwt: 'a.b.c', audience: undefined });
    expect(parse(`${form}&audience=shop&requested_token_type=${JWT_TYPE}`).audience).toBe('shop');
    expect(parse(form.replace(JWT_TYPE, ID_TYPE)).jwt).toBe('a.b.c');
  });

  it.each<[string, string, string]>([
    ['no grant type', '', 'invalid_request'],
    ['another grant type', 'grant_type=client_credentials', 'unsupported_grant_type'],
    ['no subject token', `grant_type=${GRANT}`, 'invalid_request'],
    ['no type of it', `grant_type=${GRANT}&subject_token=x`, 'invalid_request'],
    [
      'a SAML token',
      `grant_type=${GRANT}&subject_token=x&subject_token_type=urn:ietf:params:oauth:token-type:saml2`,
      'invalid_request',
    ],
    ['a repeated parameter', `grant_type=${GRANT}&grant_type=${GRANT}`, 'invalid_request'],
    [
      'an actor',
      `grant_type=${GRANT}&subject_token=x&subject_token_type=${JWT_TYPE}&actor_token=x`,
      'invalid_request',
    ],
    [
      'a wish for a refresh token',
      `grant_type=${GRANT}&subject_token=x&subject_token_type=${JWT_TYPE}&requested_token_type=urn:ietf:params:oauth:token-type:refresh_token`,
      'invalid_request',
    ],
    ['what is not UTF-8', 'grant_type=\u00ff', 'invalid_request'],
    [
      'two subject tokens',
      `grant_type=${GRANT}&subject_token=x&subject_token=y&subject_token_type=${JWT_TYPE}`,
      'invalid_request',
    ],
  ])('is refused with %s', (_what, body, code) => {
    expect(() => parseTokenExchange(Buffer.from(body, 'latin1'))).toThrow(expect.objectContaining({ code }));
  });
});

it('is no OAuth error where the client can do nothing about it', () => {
  expect(asOauthError(new Error('x'))).toBeUndefined();
  expect(asOauthError(new CofferError('integrity_violation', 'Integrity Violation'))).toBeUndefined();
});
