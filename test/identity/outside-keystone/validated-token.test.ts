import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MalformedAnswer,
  readValidatedToken,
} from '../../../src/identity/outside-keystone/validated-token.ts';
import { rounds } from '../../harness/rounds.ts';
import { tokenBody } from './fake-keystone.ts';

const read = (change: object = {}) => readValidatedToken(tokenBody(change)).actor;
const domain = { id: 'default' };

describe('what Keystone says of a token', () => {
  it('is taken as it stands: ids, scope, and roles by name, with nothing implied', () => {
    expect(read({ roles: [{ name: 'admin' }, { id: '2', name: 'creator' }] })).toEqual({
      userId: 'user-1',
      scope: 'project',
      projectId: 'project-1',
      scopeDomainId: null,
      roles: ['admin', 'creator'],
      domainId: 'default',
      auditId: 'audit-1',
      applicationCredentialId: null,
      accessRules: null,
    });
  });

  it('counts for roles whatever their case is there, and for no letter that is not of ASCII', () => {
    const names = ['Member', 'ADMIN', 'Key-Manager:Service-Admin', '\u212aey-manager:service-admin'];
    expect(read({ roles: names.map((name) => ({ name })) }).roles).toEqual([
      'member',
      'admin',
      'key-manager:service-admin',
      '\u212aey-manager:service-admin',
    ]);
  });

  it('is scoped to a domain, the system or nothing, and then to no project', () => {
    const other = { project: undefined };
    expect(read({ ...other, domain })).toMatchObject({
      scope: 'domain',
      projectId: null,
      scopeDomainId: 'default',
    });
    expect(read({ ...other, system: { all: true } })).toMatchObject({ scope: 'system', projectId: null });
    expect(read(other)).toMatchObject({ scope: 'unscoped', projectId: null, roles: [] });
  });

  it('keeps what an application credential may ask for', () => {
    const rule = { id: 'r', service: 'key-manager', method: 'GET', path: '/v1/secrets/*' };
    const credential = (rules: unknown) => ({ application_credential: { id: 'app-1', access_rules: rules } });
    expect(read(credential([rule]))).toMatchObject({
      applicationCredentialId: 'app-1',
      accessRules: [{ service: 'key-manager', method: 'GET', path: '/v1/secrets/*' }],
    });
    expect(read(credential([])).accessRules).toEqual([]);
    expect(read(credential(undefined)).accessRules).toBeNull();
    for (const rules of [{}, '', 'all', [null], [{}], [{ ...rule, path: '' }], [{ ...rule, method: 1 }]]) {
      expect(() => read(credential(rules))).toThrow(MalformedAnswer);
    }
  });

  it.each<[string, object]>([
    ['no user', { user: undefined }],
    ['a user without an id', { user: { domain } }],
    ['an id that is no text', { user: { id: 1, domain } }],
    ['an id with a blank', { user: { id: 'a b', domain } }],
    ['an empty id', { user: { id: '', domain } }],
    ['a user of no domain', { user: { id: 'a' } }],
    ['no roles', { roles: undefined }],
    ['roles that are an object', { roles: { name: 'admin' } }],
    ['a role that is a text', { roles: ['admin'] }],
    ['a role without a name', { roles: [{ id: '1' }] }],
    ['a role whose name is a list', { roles: [{ name: ['admin'] }] }],
    ['a project without an id', { project: {} }],
    ['a project that is null', { project: null }],
    ['a project that is a text', { project: 'project-1' }],
    ['the project that the keyring keeps for itself', { project: { id: 'system' } }],
    ['two scopes', { domain }],
    ['a system that is not all', { project: undefined, system: { all: 'true' } }],
    ['no end', { expires_at: undefined }],
    ['an end that is a number', { expires_at: 9_999_999_999 }],
    ['an end without a zone', { expires_at: '2099-01-01T00:00:00' }],
    ['an end on no day', { expires_at: '2099-13-45T00:00:00Z' }],
    ['a credential that is a text', { application_credential: 'app-1' }],
    ['a credential without an id', { application_credential: { access_rules: [] } }],
  ])('lets nobody in with %s', (_what, change) => {
    expect(() => read(change)).toThrow(MalformedAnswer);
  });

  it('lets nobody in by any other JSON', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom('user', 'project', 'roles', 'expires_at'),
        (value, name) => {
          expect(() => readValidatedToken(value)).toThrow(MalformedAnswer);
          expect(() => readValidatedToken({ token: value })).toThrow(MalformedAnswer);
          if (name === 'roles' && Array.isArray(value) && value.length === 0) return;
          expect(() => read({ [name]: value })).toThrow(MalformedAnswer);
        },
      ),
      { numRuns: rounds(2_000) },
    );
  });
});
