import { describe, expect, it } from 'vitest';
import { checkObject, type ObjectSchema } from '../../src/http/json-schema-messages.ts';

const SCHEMA: ObjectSchema = {
  name: 'Thing',
  properties: {
    name: { types: ['string', 'null'], lengthMin: 1, lengthMax: 3 },
    size: { types: ['integer'], minimum: 1, maximum: 9 },
    kind: { types: ['string'], oneOf: ['generic', 'rsa'] },
    hidden: { types: ['string'], lengthMax: 3, withheld: true },
    list: { types: ['array'] },
    flag: { types: ['boolean'] },
    type: { types: ['object'], required: true },
  },
};
const CLOSED: ObjectSchema = { ...SCHEMA, closed: true };

describe('checkObject', () => {
  it.each<[unknown, string, string]>([
    [{ name: 5, type: {} }, "5 is not of type 'string', 'null'", 'name'],
    [{ name: '', type: {} }, "'' is too short", 'name'],
    [{ name: 'abcd', type: {} }, "'abcd' is too long", 'name'],
    [{ size: 0, type: {} }, '0 is less than the minimum of 1', 'size'],
    [{ size: 10, type: {} }, '10 is greater than the maximum of 9', 'size'],
    [{ size: 1.5, type: {} }, "1.5 is not of type 'integer'", 'size'],
    [{ size: true, type: {} }, "True is not of type 'integer'", 'size'],
    [{ kind: 'bogus', type: {} }, "'bogus' is not one of ['generic', 'rsa']", 'kind'],
    [{ kind: 5, type: {} }, "5 is not of type 'string'", 'kind'],
    [{ list: {}, type: {} }, "{} is not of type 'array'", 'list'],
    [{ flag: 0, type: {} }, "0 is not of type 'boolean'", 'flag'],
    [{ type: [] }, "[] is not of type 'object'", 'type'],
    [{}, "'type' is a required property", 'type'],
    [{ kind: 'bogus', size: 0, type: {} }, '0 is less than the minimum of 1', 'size'],
    [null, "None is not of type 'object'", 'None'],
    [true, "True is not of type 'object'", 'None'],
  ])('refuses %j: %s', (body, reason, property) => {
    expect(() => checkObject(SCHEMA, body)).toThrow(
      `Provided object does not match schema 'Thing': ${reason}. Invalid property: '${property}'`,
    );
  });

  it('tells of unknown keys before anything else, where the schema is closed', () => {
    const refused = (body: unknown) => () => checkObject(CLOSED, body);
    expect(refused({ x: 1, size: 0 })).toThrow("Additional properties are not allowed ('x' was unexpected)");
    expect(refused({ x: 1, y: 2 })).toThrow(
      "Additional properties are not allowed ('x', 'y' were unexpected)",
    );
    expect(refused(JSON.parse('{"__proto__":1}'))).toThrow("('__proto__' was unexpected)");
    expect(checkObject(SCHEMA, { x: 1, type: {} })).toEqual({ x: 1, type: {} });
  });

  it('takes whole numbers for integers and counts code points', () => {
    expect(checkObject(SCHEMA, { size: 2.0, name: '😀😀😀', type: {} })).toBeTruthy();
  });

  it('never reads what the body inherits', () => {
    expect(() => checkObject(SCHEMA, Object.create({ type: {} }))).toThrow("'type' is a required property");
  });

  it.each([
    [{ hidden: ['canary'], type: {} }],
    [{ hidden: { a: 'canary' }, type: {} }],
    [{ hidden: 'canary', type: {} }],
    [['canary']],
    ['canary'],
  ])('shows nothing of a value that may be a secret', (body) => {
    const attempt = () => checkObject(SCHEMA, body);
    expect(attempt).toThrow('the value is');
    expect(attempt).not.toThrow('canary');
  });
});
