import { describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import {
  represent,
  type StoredPayload,
  wantedRepresentation,
  wrongContentType,
} from '../../src/secrets/representation.ts';

type Operation = 'Secret payload retrieval' | 'Secret retrieval';

function answer(accept: string | undefined, stored: StoredPayload, operation: Operation) {
  const wanted = wantedRepresentation(accept);
  if (wanted === undefined) throw wrongContentType(operation);
  return represent(wanted, stored, operation);
}

const TEXT = { contentType: 'text/plain', payload: new Uint8Array(Buffer.from('né')) };
const UTF8_BYTES = { contentType: 'application/octet-stream', payload: TEXT.payload };
const BYTES = { contentType: 'application/octet-stream', payload: new Uint8Array([0xff, 0xfe]) };
const KEY = { contentType: 'application/pkcs8', payload: new Uint8Array([0x30, 0xff]) };
const NOT_TEXT = { contentType: 'text/plain', payload: BYTES.payload };

describe('a payload', () => {
  it.each([
    [undefined, TEXT, 'application/octet-stream'],
    ['', KEY, 'application/octet-stream'],
    ['*/*', TEXT, 'text/plain; charset=UTF-8'],
    ['*/*', BYTES, 'application/octet-stream'],
    ['*/*', KEY, 'application/pkcs8'],
    ['*/*', NOT_TEXT, 'application/octet-stream'],
    ['text/plain', TEXT, 'text/plain; charset=UTF-8'],
    ['TEXT/PLAIN', TEXT, 'text/plain; charset=UTF-8'],
    ['text/plain;charset=utf-8', TEXT, 'text/plain;charset=utf-8'],
    ['text/plain; charset=utf-8', TEXT, 'text/plain; charset=utf-8'],
    ['text/plain; charset=UTF-8', TEXT, 'text/plain; charset=UTF-8'],
    ['text/plain', UTF8_BYTES, 'text/plain; charset=UTF-8'],
    ['application/octet-stream', TEXT, 'application/octet-stream'],
    ['application/octet-stream', KEY, 'application/octet-stream'],
    ['application/octet-stream', NOT_TEXT, 'application/octet-stream'],
    ['application/pkcs8', TEXT, 'application/pkcs8'],
    ['application/pkcs8', KEY, 'application/pkcs8'],
    [' application/octet-stream ', KEY, 'application/octet-stream'],
  ])('asked for as %j leaves byte for byte', (accept, stored, contentType) => {
    expect(answer(accept, stored, 'Secret retrieval')).toEqual({ contentType, bytes: stored.payload });
  });

  it.each([
    ['text/plain', BYTES],
    ['text/plain', NOT_TEXT],
    ['text/plain; charset=utf-8', BYTES],
    ['application/json', TEXT],
    ['application/json, text/plain, */*', TEXT],
    ['text/plain, application/octet-stream', TEXT],
    ['text/plain;q=0.5', TEXT],
    ['application/octet-stream;q=1', TEXT],
    ['*/*;q=0.8', TEXT],
    ['text/*', TEXT],
    ['text/html', TEXT],
    ['text/plain; charset=iso-8859-1', TEXT],
    ['nonsense', TEXT],
    ['__proto__', TEXT],
  ])('is not given to who asks for %j', (accept, stored) => {
    const attempt = (operation: Operation) => () => answer(accept, stored, operation);
    expect(attempt('Secret payload retrieval')).toThrow(
      new CofferError('not_acceptable', 'Secret payload retrieval issue seen - Wrong payload content-type.'),
    );
    expect(attempt('Secret retrieval')).toThrow('Secret retrieval issue seen - Wrong payload content-type.');
  });
});
