import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import { parseNewSecret } from '../../src/secrets/schema.ts';

const NOW = new Date('2026-11-21T02:00:00.000Z');
const parse = (body: unknown) => parseNewSecret(body, { now: NOW, payloadBytesMax: 20_000 });
const refusal = (body: unknown) => {
  try {
    parse(body);
  } catch (error) {
    if (error instanceof CofferError) return { code: error.code, description: error.description };
    throw error;
  }
  return undefined;
};
const mismatch = (reason: string, property: string) => ({
  code: 'bad_request',
  description: `Provided object does not match schema 'Secret': ${reason}. Invalid property: '${property}'`,
});
const TYPES =
  "['text/plain', 'text/plain;charset=utf-8', 'text/plain; charset=utf-8', 'application/octet-stream', 'application/pkcs8']";
const TEXT = { payload: 'hi', payload_content_type: 'text/plain' };
const BYTES = { payload: 'aGk=', payload_content_type: 'application/octet-stream' };

const ENCODING = 'payload_content_encoding';

describe('the fields of a new secret', () => {
  it('takes an empty object for an opaque secret without anything', () => {
    expect(parse({})).toEqual({
      name: null,
      algorithm: null,
      bitLength: null,
      mode: null,
      secretType: 'opaque',
      expiration: null,
      payload: null,
      contentType: null,
    });
  });

  it('takes every field', () => {
    const body = {
      name: ' demo ',
      algorithm: 'aes',
      bit_length: 256,
      mode: 'cbc',
      secret_type: 'symmetric',
      expiration: '2030-02-28T19:14:44.180394',
      ...BYTES,
      payload_content_encoding: 'base64',
      transport_key_needed: 'false',
    };
    expect(parse(body)).toEqual({
      name: 'demo',
      algorithm: 'aes',
      bitLength: 256n,
      mode: 'cbc',
      secretType: 'symmetric',
      expiration: new Date('2030-02-28T19:14:44.180Z'),
      payload: new Uint8Array(Buffer.from('hi')),
      contentType: 'application/octet-stream',
    });
  });

  it.each([
    [{ name: null }],
    [{ name: '' }],
    [{ name: 'x'.repeat(255) }],
    [{ name: ` ${'x'.repeat(255)} ` }],
    [{ name: '😀'.repeat(255) }],
    [{ name: '1; DROP TABLE secrets; -- %_\\' }],
    [{ name: '54262d9d-4bc7-4821-8df0-dc2ca8e112bb' }],
    [{ algorithm: '', mode: '' }],
    [{ bit_length: 1 }],
    [{ bit_length: 32_767 }],
    [{ bit_length: 127 }],
    [{ bit_length: 1e2 }],
    [{ expiration: '' }],
    [{ expiration: '  ' }],
    [{ id: 5, status: 'ERROR', creator_id: {}, project_id: [], consumers: 1 }],
    [{ transport_key_id: 'whatever' }],
    [{ payload_content_encoding: 'base64' }],
    [{ payload_content_type: null }],
  ])('takes %j', (body) => {
    expect(parse(body)).toBeTruthy();
  });

  it('keeps an empty name apart from none', () => {
    expect(parse({ name: '  ' }).name).toBe('');
    expect(parse({ name: null }).name).toBeNull();
  });

  it.each<[unknown, string, string]>([
    [{ name: 5 }, "5 is not of type 'string', 'null'", 'name'],
    [{ name: ['a'] }, "['a'] is not of type 'string', 'null'", 'name'],
    [{ name: 'x'.repeat(256) }, `'${'x'.repeat(256)}' is too long`, 'name'],
    [{ algorithm: null }, "None is not of type 'string'", 'algorithm'],
    [{ algorithm: 123 }, "123 is not of type 'string'", 'algorithm'],
    [{ algorithm: 'x'.repeat(256) }, `'${'x'.repeat(256)}' is too long`, 'algorithm'],
    [{ mode: null }, "None is not of type 'string'", 'mode'],
    [{ mode: 'x'.repeat(256) }, `'${'x'.repeat(256)}' is too long`, 'mode'],
    [{ bit_length: null }, "None is not of type 'integer'", 'bit_length'],
    [{ bit_length: true }, "True is not of type 'integer'", 'bit_length'],
    [{ bit_length: '256' }, "'256' is not of type 'integer'", 'bit_length'],
    [{ bit_length: 1.5 }, "1.5 is not of type 'integer'", 'bit_length'],
    [{ bit_length: 0 }, '0 is less than the minimum of 1', 'bit_length'],
    [{ bit_length: -23 }, '-23 is less than the minimum of 1', 'bit_length'],
    [{ bit_length: 32_768 }, '32768 is greater than the maximum of 32767', 'bit_length'],
    [{ secret_type: null }, "None is not of type 'string'", 'secret_type'],
    [
      { secret_type: 'OPAQUE' },
      "'OPAQUE' is not one of ['symmetric', 'passphrase', 'private', 'public', 'certificate', 'opaque']",
      'secret_type',
    ],
    [{ expiration: null }, "None is not of type 'string'", 'expiration'],
    [{ expiration: 'x'.repeat(256) }, `'${'x'.repeat(256)}' is too long`, 'expiration'],
    [{ expiration: 'nonsense' }, "Invalid date for 'expiration'", 'expiration'],
    [{ expiration: '2000-01-10T14:58:52.546795' }, "'expiration' is before current time", 'expiration'],
    [{ payload: null }, "the value is not of type 'string'", 'payload'],
    [{ payload: 1234 }, "the value is not of type 'string'", 'payload'],
    [{ ...TEXT, payload_content_encoding: null }, "None is not of type 'string'", ENCODING],
    [{ ...BYTES, payload_content_encoding: 'hex' }, "'hex' is not one of ['base64']", ENCODING],
    [{ ...BYTES, payload_content_encoding: '' }, "'' is not one of ['base64']", ENCODING],
    [{ transport_key_needed: true }, "True is not of type 'string'", 'transport_key_needed'],
    [{ transport_key_needed: 'yes' }, "'yes' is not one of ['true', 'false']", 'transport_key_needed'],
    [{ transport_key_id: null }, "None is not of type 'string'", 'transport_key_id'],
    [[], "the value is not of type 'object'", 'None'],
    ['{"payload":"x"}', "the value is not of type 'object'", 'None'],
    [null, "None is not of type 'object'", 'None'],
    [{ name: 'a\0b' }, 'a character that cannot be stored was found', 'name'],
    [{ mode: '\ud800' }, 'a character that cannot be stored was found', 'mode'],
  ])('refuses %j', (body, reason, property) => {
    expect(refusal(body)).toEqual(mismatch(reason, property));
  });

  it('tells of the shape first, then the expiration, then the payload', () => {
    const wrong = { secret_type: 'x', expiration: 'x', payload: 'x', payload_content_type: 'x' };
    expect(refusal(wrong)?.description).toContain("'secret_type'");
    expect(refusal({ ...wrong, secret_type: 'opaque' })?.description).toContain("'expiration'");
    expect(refusal({ ...wrong, secret_type: 'opaque', expiration: '' })?.description).toContain(TYPES);
  });

  it('refuses a transport key, for there are none', () => {
    expect(refusal({ transport_key_needed: 'true' })).toEqual({
      code: 'bad_request',
      description: 'Secret creation issue seen - Transport keys are not supported.',
    });
    expect(refusal({ ...TEXT, transport_key_id: 'x' })).toEqual({
      code: 'bad_request',
      description: 'Secret creation issue seen - Provided transport key was not found..',
    });
  });
});

describe('the payload of a new secret', () => {
  it.each([
    ['text/plain'],
    ['TEXT/PLAIN'],
    ['TeXT/PlaiN'],
    ['text/plain;charset=utf-8'],
    ['text/plain; charset=utf-8'],
    ['text/plain ; charset = UTF-8'],
  ])('stores text of the type %j as text/plain', (payload_content_type) => {
    const { payload, contentType } = parse({ payload: '  né 😀\n', payload_content_type });
    expect(contentType).toBe('text/plain');
    expect(Buffer.from(payload ?? []).toString()).toBe('né 😀');
  });

  it.each([
    ['application/octet-stream', 'application/octet-stream'],
    ['Application/Octet-Stream', 'application/octet-stream'],
    ['application/pkcs8', 'application/pkcs8'],
  ])('stores the decoded bytes of %s', (payload_content_type, stored) => {
    const { payload, contentType } = parse({
      payload: 'AP8Q\r\ngA==',
      payload_content_type,
      payload_content_encoding: 'base64',
    });
    expect(contentType).toBe(stored);
    expect(payload).toEqual(new Uint8Array([0, 255, 16, 128]));
  });

  const mustBeSupplied = "If 'payload' is supplied, 'payload_content_type' must also be supplied.";
  const needsPayload = 'payload must be provided when payload_content_type is specified';
  const noType = `payload_content_type is not one of ${TYPES}`;
  const noEncoding = "payload_content_encoding is not one of ['base64', 'binary']";
  const invalid = 'Invalid payload for payload_content_encoding';
  const base64 = { payload_content_encoding: 'base64' };

  it.each<[unknown, string, string]>([
    [{ payload_content_type: 'text/plain' }, needsPayload, 'payload'],
    [{ payload_content_type: '' }, needsPayload, 'payload'],
    [{ payload: 'x' }, mustBeSupplied, 'payload_content_type'],
    [{ payload: 'x', payload_content_type: null }, mustBeSupplied, 'payload_content_type'],
    [{ payload: 'x', payload_content_type: '' }, noType, 'payload_content_type'],
    [{ payload: 'x', payload_content_type: 'text' }, noType, 'payload_content_type'],
    [{ payload: 'x', payload_content_type: 'text/plain;' }, noType, 'payload_content_type'],
    [{ payload: 'x', payload_content_type: 'text/plain; charset' }, noType, 'payload_content_type'],
    [{ payload: 'x', payload_content_type: 'text/plain; charset=utf-88' }, noType, 'payload_content_type'],
    [
      { payload: 'x', payload_content_type: 'text/plain; charset=iso-8859-1' },
      noType,
      'payload_content_type',
    ],
    [{ payload: 'x', payload_content_type: 'application/pkix-cert' }, noType, 'payload_content_type'],
    [{ payload: 'x', payload_content_type: 'application/aes' }, noType, 'payload_content_type'],
    [{ payload: 'x', payload_content_type: 'application/json' }, noType, 'payload_content_type'],
    [{ payload: 'x', payload_content_type: 'Ä' }, noType, 'payload_content_type'],
    [{ payload: 'x', payload_content_type: 'i/m' }, noType, 'payload_content_type'],
    [{ ...TEXT, ...base64 }, 'payload_content_encoding is not one of None', ENCODING],
    [BYTES, noEncoding, ENCODING],
    [{ ...BYTES, payload_content_type: 'application/pkcs8' }, noEncoding, ENCODING],
    [{ ...TEXT, payload: '' }, "If 'payload' specified, must be non empty", 'payload'],
    [{ ...TEXT, payload: ' \t\n' }, "If 'payload' specified, must be non empty", 'payload'],
    [{ ...BYTES, ...base64, payload: '' }, "If 'payload' specified, must be non empty", 'payload'],
    ...[
      'aGk',
      'aG',
      'a',
      '!!!',
      '-_-_',
      '====',
      '=',
      'aGk=aGk=',
      'aGk*',
      '\u0080',
      '\u1111\uffff',
      'a===',
      'aGkaGk=',
    ].map((payload): [unknown, string, string] => [{ ...BYTES, ...base64, payload }, invalid, 'payload']),
    [{ ...TEXT, payload: 'a\ud800' }, invalid, 'payload'],
  ])('refuses %j', (body, reason, property) => {
    expect(refusal(body)).toEqual(mismatch(reason, property));
  });

  it('measures the text as it was sent', () => {
    const tooLarge = { code: 'payload_too_large', description: 'Provided information too large to process' };
    expect(parse({ ...TEXT, payload: 'x'.repeat(20_000) }).payload?.length).toBe(20_000);
    expect(refusal({ ...TEXT, payload: 'x'.repeat(20_001) })).toEqual(tooLarge);
    expect(refusal({ ...TEXT, payload: 'é'.repeat(10_001) })).toEqual(tooLarge);
    const whole = Buffer.alloc(15_000, 7).toString('base64');
    expect(parse({ ...BYTES, ...base64, payload: whole }).payload?.length).toBe(15_000);
    expect(refusal({ ...BYTES, ...base64, payload: `${whole}AAAA` })).toEqual(tooLarge);
    expect(refusal({ payload: 'x'.repeat(20_001), payload_content_type: 'x' })?.code).toBe('bad_request');
  });

  it('gives back any bytes that were sent as base64', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), (bytes) => {
        const payload = Buffer.from(bytes).toString('base64');
        expect(parse({ ...BYTES, ...base64, payload }).payload).toEqual(new Uint8Array(bytes));
      }),
    );
  });

  it('is never shown by a refusal, whatever the body', () => {
    const canary = fc.constantFrom('CANARY', ['CANARY'], { CANARY: 'CANARY' }, 'CANARY!'.repeat(4000));
    const json = fc.jsonValue();
    fc.assert(
      fc.property(canary, json, json, json, (payload, type, encoding, name) => {
        const body = { payload, payload_content_type: type, payload_content_encoding: encoding, name };
        expect(refusal(body)?.description ?? '').not.toContain('CANARY');
      }),
    );
  });
});

it('refuses any JSON with an expected error or takes it', () => {
  const fields = [
    'name',
    'algorithm',
    'mode',
    'bit_length',
    'expiration',
    'payload',
    'secret_type',
    ENCODING,
  ];
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('base64', 'opaque', '2030', 256, 'aGk=', 'text/plain'),
  );
  const body = fc.dictionary(fc.constantFrom(...fields, 'payload_content_type', 'transport_key_id'), value);
  fc.assert(fc.property(fc.oneof(body, fc.jsonValue()), (json) => void refusal(json)));
});
