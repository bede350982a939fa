import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import { parseSecretFilter, SORT_KEYS } from '../../src/secrets/list-filter.ts';

const NOTHING = { aclOnly: false, created: [], updated: [], expiration: [], sort: [] };
const REFUSAL = new CofferError('bad_request', 'URI provided invalid query string parameters.');
const first = new Date('2026-01-01T00:00:00Z');
const second = new Date('2026-01-02T00:00:00Z');

describe('the filter of a list of secrets', () => {
  it.each([
    [{}],
    [{ name: '', alg: '', mode: '', bits: '', secret_type: '', created: '', sort: '', acl_only: '' }],
    [{ bits: 'x' }],
    [{ bits: '0' }],
    [{ bits: '-5' }],
    [{ bits: '1.5' }],
    [{ limit: 'x', offset: '-1', status: 'ERROR', creator_id: 'x', 'target.secret.read': 'read' }],
    [{ acl_only: 'yes' }],
  ])('is empty for %j', (query) => {
    expect(parseSecretFilter(query)).toEqual(NOTHING);
  });

  it.each([
    [{ name: 'a' }, { name: 'a' }],
    [{ name: '%_\\' }, { name: '%_\\' }],
    [{ name: 'a%20b' }, { name: 'a b' }],
    [{ name: 'a+b' }, { name: 'a b' }],
    [{ name: 'n%C3%A9' }, { name: 'né' }],
    [{ name: '100%' }, { name: '100%' }],
    [{ name: '%ab%' }, { name: '%ab%' }],
    [{ name: '%zz%2' }, { name: '%zz%2' }],
    [{ name: '%25' }, { name: '%' }],
    [
      { alg: 'ae%', mode: 'c+c%20' },
      { alg: 'ae%', mode: 'c+c%20' },
    ],
    [{ bits: '256' }, { bits: 256n }],
    [{ bits: ' +7 ' }, { bits: 7n }],
    [{ bits: '9'.repeat(400) }, { bits: 2_147_483_647n }],
    [{ secret_type: 'bogus' }, { secretType: 'bogus' }],
    [{ acl_only: 'TRUE' }, { aclOnly: true }],
    [
      { name: ['a', 'b'], sort: ['bogus', 'name'] },
      { name: 'b', sort: [{ key: 'name', direction: 'asc' }] },
    ],
  ])('reads %j', (query, filter) => {
    expect(parseSecretFilter(query)).toEqual({ ...NOTHING, ...filter });
  });

  it.each([
    { name: 'a\0' },
    { name: 'a%00' },
    { alg: '\0' },
    { mode: '\0' },
    { secret_type: '\0' },
    { name: 'x'.repeat(1025) },
  ])('refuses what the database cannot hold: %j', (query) => {
    expect(() => parseSecretFilter(query)).toThrow(REFUSAL);
  });
});

describe('bounds of time', () => {
  it.each(['created', 'updated', 'expiration'] as const)('are read for %s', (key) => {
    const filter = parseSecretFilter({ [key]: 'gte:2026-01-01,lt:2026-01-02T00:00:00Z' });
    expect(filter[key]).toEqual([
      { comparison: 'gte', date: first },
      { comparison: 'lt', date: second },
    ]);
  });

  it.each([
    ['2026-01-01', ['eq']],
    ['gt:2026-01-01', ['gt']],
    ['lte:2026-01-01', ['lte']],
    ['gt:2026-01-01,lt:2026-01-02', ['gt', 'lt']],
    ['lt:2026-01-01,gt:2026-01-02', ['lt', 'gt']],
    ['2026-01-01,gt:2025-01-01', ['eq', 'gt']],
    ['gt:2025-01-01,2026-01-01', ['gt', 'eq']],
  ])('may be %j', (created, comparisons) => {
    expect(parseSecretFilter({ created }).created.map(({ comparison }) => comparison)).toEqual(comparisons);
  });

  it.each([
    'bogus',
    'gt:',
    'gt:bogus',
    'eq:2026-01-01',
    'ne:2026-01-01',
    'GT:2026-01-01',
    '2026-01-01,',
    ',2026-01-01',
    '2026-02-30',
    '2026-01-01,2026-01-02',
    'gt:2026-01-01,gt:2026-01-02',
    'gt:2026-01-01,gte:2026-01-02',
    'gte:2026-01-01,gt:2026-01-02',
    'lt:2026-01-01,lte:2026-01-02',
    'lte:2026-01-01,lte:2026-01-02',
    '2026-01-01,gte:2026-01-01',
    'gte:2026-01-01,2026-01-01',
    'lte:2026-01-01,2026-01-01',
    '2026-01-01,lte:2026-01-01',
    'gt:gt:2026-01-01',
  ])('are refused when they are %j', (created) => {
    expect(() => parseSecretFilter({ created })).toThrow(REFUSAL);
  });
});

describe('the order', () => {
  it('takes every key, each way', () => {
    const sort = SORT_KEYS.map((key, index) => (index % 2 === 0 ? `${key}:desc` : key)).join(',');
    expect(parseSecretFilter({ sort }).sort).toEqual(
      SORT_KEYS.map((key, index) => ({ key, direction: index % 2 === 0 ? 'desc' : 'asc' })),
    );
    expect(parseSecretFilter({ sort: 'name:asc' }).sort).toEqual([{ key: 'name', direction: 'asc' }]);
  });

  it.each([
    'bogus',
    'name,name',
    'name:asc,name:desc',
    'name:up',
    'name:',
    'name:asc:desc',
    ':asc',
    'name,',
    'NAME',
    'id',
    '__proto__',
    'seal',
  ])('refuses %j', (sort) => {
    expect(() => parseSecretFilter({ sort })).toThrow(REFUSAL);
  });
});

it('is read or refused, whatever the query holds', () => {
  const keys = ['name', 'alg', 'mode', 'bits', 'secret_type', 'acl_only', 'created', 'expiration', 'sort'];
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[gtle:0-9,%-]{0,20}$/));
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), value), (query) => {
      try {
        parseSecretFilter(query);
      } catch (error) {
        expect(error).toEqual(REFUSAL);
      }
    }),
  );
});
