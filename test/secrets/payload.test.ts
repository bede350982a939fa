import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import { decodeBase64, decodeUpload, type Upload } from '../../src/secrets/payload.ts';

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text));
const upload = (changes: Partial<Upload> = {}): Upload => ({
  contentType: 'text/plain',
  contentEncoding: undefined,
  body: bytesOf('hi'),
  ...changes,
});
const refusal = (
  changes: Partial<Upload>,
  secret: { payloadBytesMax?: number; hasPayload?: boolean } = {},
) => {
  try {
    decodeUpload(upload(changes), { payloadBytesMax: 20_000, hasPayload: false, ...secret });
  } catch (error) {
    if (error instanceof CofferError) return [error.code, error.description];
    throw error;
  }
  return undefined;
};
const decode = (changes: Partial<Upload>) =>
  decodeUpload(upload(changes), { payloadBytesMax: 20_000, hasPayload: false });

const OCTETS = 'application/octet-stream';
const NO_TYPE =
  "Unexpected content type. Expected content types are: ['application/octet-stream', 'text/plain']";

describe('a payload sent in the second step', () => {
  it.each([
    undefined,
    '',
    'application/pkcs8',
    'application/json',
    'text/html',
    'text',
    'text/plain, text/plain',
    'é',
  ])('refuses the content type %j', (contentType) => {
    expect(refusal({ contentType })).toEqual(['unsupported_media_type', NO_TYPE]);
  });

  it.each([
    'text/plain',
    'text/plain;charset=utf-8',
    'text/plain; charset=iso-8859-1',
    'Text/Plain',
    'text/plain;',
  ])('keeps text of the type %j byte for byte', (contentType) => {
    const body = bytesOf('  hé \n');
    expect(decode({ contentType, body, contentEncoding: 'gzip' })).toEqual({
      payload: body,
      contentType: 'text/plain',
    });
  });

  it('keeps octets as they are without an encoding', () => {
    const body = new Uint8Array([0, 255, 32]);
    expect(decode({ contentType: OCTETS, body })).toEqual({ payload: body, contentType: OCTETS });
    expect(decode({ contentType: OCTETS, body, contentEncoding: '' }).payload).toEqual(body);
  });

  it.each(['base64', 'BASE64', ' base64 '])('decodes octets that come as %j', (contentEncoding) => {
    const body = bytesOf('aG\r\nk=\n');
    expect(decode({ contentType: OCTETS, body, contentEncoding })).toEqual({
      payload: bytesOf('hi'),
      contentType: OCTETS,
    });
  });

  it.each(['aGk', '!!!', '====', ' ', '-_-_', 'aGk=aGk=', '\u0080AAA'])('refuses %j as base64', (text) => {
    expect(refusal({ contentType: OCTETS, contentEncoding: 'base64', body: bytesOf(text) })).toEqual([
      'bad_request',
      'Secret update issue seen - Problem decoding payload.',
    ]);
  });

  it.each(['gzip', 'binary', 'base64, gzip', 'identity'])(
    'refuses octets in the encoding %j',
    (contentEncoding) => {
      expect(refusal({ contentType: OCTETS, contentEncoding })).toEqual([
        'bad_request',
        "Secret update issue seen - Text-based binary secret payloads must specify a content-encoding of 'base64'.",
      ]);
    },
  );

  it('is a copy, so that wiping it leaves the body for another attempt', () => {
    for (const contentType of ['text/plain', OCTETS]) {
      const body = bytesOf('hi');
      decode({ contentType, body }).payload.fill(0);
      expect(body).toEqual(bytesOf('hi'));
    }
  });

  it('is checked in the order of Barbican', () => {
    const everything = {
      contentType: 'x/y',
      contentEncoding: 'gzip',
      body: new Uint8Array(),
      transportKeyId: 'x',
    };
    const full = { hasPayload: true };
    expect(refusal(everything, full)?.[0]).toBe('unsupported_media_type');
    expect(refusal({ ...everything, contentType: OCTETS }, full)).toEqual([
      'bad_request',
      'Secret update issue seen - No data supplied to process..',
    ]);
    const large = { ...everything, contentType: OCTETS, body: new Uint8Array(20_001) };
    expect(refusal(large, full)).toEqual([
      'payload_too_large',
      'Secret update issue seen - Provided information too large to process.',
    ]);
    const fitting = { ...large, body: new Uint8Array(20_000) };
    expect(refusal(fitting, full)).toEqual(['conflict', 'Secret already has data, cannot modify it.']);
    expect(refusal(fitting)).toEqual([
      'bad_request',
      'Secret update issue seen - Provided transport key was not found..',
    ]);
    expect(refusal({ ...fitting, transportKeyId: undefined })?.[1]).toContain('Text-based binary');
    expect(refusal({ ...fitting, transportKeyId: undefined, contentEncoding: undefined })).toBeUndefined();
  });
});

describe('base64', () => {
  it('reads what any encoder of the standard alphabet writes, broken anywhere by white space', () => {
    const blanks = fc.constantFrom('', ' ', '\n', '\r\n', '\t');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(), blanks, (bytes, at, blank) => {
        const text = Buffer.from(bytes).toString('base64');
        const cut = at % text.length;
        expect(decodeBase64(text.slice(0, cut) + blank + text.slice(cut))).toEqual(new Uint8Array(bytes));
      }),
    );
  });

  it('refuses every text with a character of no encoder', () => {
    const character = fc
      .string({ minLength: 1, maxLength: 1 })
      .filter((c) => !/[A-Za-z0-9+/=\t-\r ]/.test(c));
    fc.assert(
      fc.property(fc.base64String({ minLength: 4 }), fc.nat(), character, (text, at, wrong) => {
        const cut = at % text.length;
        expect(decodeBase64(text.slice(0, cut) + wrong + text.slice(cut))).toBeUndefined();
      }),
    );
  });
});
