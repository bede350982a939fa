import { describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import {
  addMetadatum,
  changeMetadatum,
  getMetadatum,
  parseMetadata,
  parseMetadatum,
  removeMetadatum,
} from '../../src/secrets/metadata.ts';

const refusal = (attempt: () => unknown) => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof CofferError) return [error.code, error.description];
    throw error;
  }
  return undefined;
};
const schema = (name: string, reason: string, property: string) => [
  'bad_request',
  `Provided object does not match schema '${name}': ${reason}. Invalid property: '${property}'`,
];
const pairs = (metadata: Record<string, unknown>) => [...parseMetadata({ metadata })];
const BAD_KEY = ['bad_request', 'Invalid Key. Key must be URL safe.'];
const BAD_VALUE = ['bad_request', 'Invalid Metadata. Keys and Values must be Strings.'];

describe('the whole set', () => {
  it('is kept in lower case, by key', () => {
    expect(pairs({})).toEqual([]);
    expect(pairs({ Env: 'Prod', '1': ' a ', 'b-_': '' })).toEqual([
      ['1', 'a'],
      ['b-_', ''],
      ['env', 'Prod'],
    ]);
    expect(pairs({ '': 'x' })).toEqual([['', 'x']]);
  });

  it('keeps the key __proto__ like any other', () => {
    expect([...parseMetadata(JSON.parse('{"metadata":{"__proto__":"x"}}'))]).toEqual([['__proto__', 'x']]);
  });

  it('lets the last key that is not in lower case win over its twins', () => {
    expect(pairs({ A: '1', a: '2' })).toEqual([['a', '1']]);
    expect(pairs({ a: '2', A: '1' })).toEqual([['a', '1']]);
    expect(pairs({ AB: '1', Ab: '2', ab: '3' })).toEqual([['ab', '2']]);
  });

  it.each<[unknown, string, string]>([
    [{}, "'metadata' is a required property", 'metadata'],
    [{ metadataaaa: {} }, "'metadata' is a required property", 'metadata'],
    [{ metadata: null }, "None is not of type 'object'", 'metadata'],
    [{ metadata: [] }, "[] is not of type 'object'", 'metadata'],
    [[], "the value is not of type 'object'", 'None'],
    [{ metadata: { a: 'x'.repeat(256) } }, `'${'x'.repeat(256)}' is too long`, 'metadata'],
    [{ metadata: { ['k'.repeat(256)]: '' } }, `'${'k'.repeat(256)}' is too long`, 'metadata'],
    [{ metadata: { a: 'x\0' } }, 'a character that cannot be stored was found', 'metadata'],
  ])('is refused as %j', (body, reason, property) => {
    expect(refusal(() => parseMetadata(body))).toEqual(schema('SecretMetadata', reason, property));
  });

  it.each(['a b', 'a/b', 'é', 'a\n', '%41', 'a.b', ' a', '?'])('refuses the key %j', (key) => {
    expect(refusal(() => pairs({ [key]: 'x' }))).toEqual(BAD_KEY);
  });

  it.each([5, null, true, {}, ['x']])('refuses the value %j', (value) => {
    expect(refusal(() => pairs({ a: value }))).toEqual(BAD_VALUE);
  });

  it('stays within the room of a row', () => {
    const many = (count: number, value: string) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));
    expect(pairs(many(256, 'x')).length).toBe(256);
    expect(refusal(() => pairs(many(257, '')))?.[1]).toContain('at most 256 keys');
    expect(refusal(() => pairs(many(99, 'x'.repeat(255))))?.[1]).toContain('25000 bytes');
    expect(refusal(() => pairs(many(90, 'é'.repeat(150))))?.[1]).toContain('25000 bytes');
  });
});

describe('one item', () => {
  it('is read with its key in lower case', () => {
    expect(parseMetadatum({ key: ' Env ', value: ' Prod ' })).toEqual({ key: 'env', value: 'Prod' });
  });

  it.each<[unknown, string, string]>([
    [{ key: 'a' }, "'value' is a required property", 'value'],
    [{ value: 'a' }, "'key' is a required property", 'key'],
    [{ key: 5, value: 'a' }, "5 is not of type 'string'", 'key'],
    [{ key: 'a', value: null }, "None is not of type 'string'", 'value'],
    [{ key: 'a', value: 'x'.repeat(256) }, `'${'x'.repeat(256)}' is too long`, 'value'],
    [{ key: 'k'.repeat(256), value: '' }, `'${'k'.repeat(256)}' is too long`, 'key'],
    [{ key: 'a', value: '', x: 1 }, "Additional properties are not allowed ('x' was unexpected)", 'None'],
    [{ x: 1 }, "Additional properties are not allowed ('x' was unexpected)", 'None'],
    ['a', "the value is not of type 'object'", 'None'],
  ])('is refused as %j', (body, reason, property) => {
    expect(refusal(() => parseMetadatum(body))).toEqual(schema('SecretMetadatum', reason, property));
  });

  it('is refused with a key that no URL holds', () => {
    expect(refusal(() => parseMetadatum({ key: 'a b', value: '' }))).toEqual(BAD_KEY);
  });

  const set = new Map([['env', 'prod']]);

  it('is added once', () => {
    expect([...addMetadatum(set, { key: 'a', value: '1' })]).toEqual([
      ['a', '1'],
      ['env', 'prod'],
    ]);
    expect(refusal(() => addMetadatum(set, { key: 'env', value: '' }))).toEqual([
      'conflict',
      'Conflict. Key in request is already in the secret metadata',
    ]);
  });

  it('is changed under its own address, and only when it is there', () => {
    expect([...changeMetadatum(set, 'env', { key: 'env', value: 'dev' })]).toEqual([['env', 'dev']]);
    expect(refusal(() => changeMetadatum(set, 'env', { key: 'x', value: '' }))).toEqual([
      'conflict',
      'Key in request data does not match key in the ',
    ]);
    const missing = ['not_found', 'Secret metadata not found.'];
    expect(refusal(() => changeMetadatum(set, 'x', { key: 'y', value: '' }))).toEqual(missing);
    expect(refusal(() => changeMetadatum(set, 'ENV', { key: 'env', value: '' }))).toEqual(missing);
  });

  it('is found under its key alone', () => {
    expect(getMetadatum(set, 'env')).toEqual({ key: 'env', value: 'prod' });
    for (const key of ['ENV', 'toString', '__proto__', '']) {
      expect(refusal(() => getMetadatum(set, key))?.[0]).toBe('not_found');
    }
  });

  it('is removed, and was gone already when it was not there', () => {
    expect(removeMetadatum(set, 'env').size).toBe(0);
    expect(removeMetadatum(set, 'x')).toBe(set);
  });

  it('never makes the set larger than its room', () => {
    const full = new Map(Array.from({ length: 256 }, (_, index) => [`k${index}`, '']));
    expect(refusal(() => addMetadatum(full, { key: 'new', value: '' }))?.[1]).toContain('at most 256 keys');
    expect(changeMetadatum(full, 'k1', { key: 'k1', value: 'x' }).size).toBe(256);
  });
});
