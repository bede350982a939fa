import { expect, it } from 'vitest';
import { acceptsJson, payloadAccept, secretAccept } from '../../src/http/negotiation.ts';

it.each([
  undefined,
  '',
  '*/*',
  'application/json',
  'APPLICATION/JSON',
  'application/json;q=0.2',
  'application/json; charset=utf-8',
  'application/*',
  '*/*;q=0.8',
  'application/json, text/plain, */*',
  'text/html, application/json',
  'text/plain;q=0.9,*/*;q=0.1',
])('answers JSON to Accept %j', (header) => {
  expect(acceptsJson(header)).toBe(true);
});

it.each([
  'text/plain',
  'text/html, application/xml',
  'application/json;q=0',
  'application/json;q=0, */*',
  'application/*;q=0.0, */*',
  '*/*;q=nonsense',
  'json',
  'application/json2',
  ';q=1, text/plain',
])('does not answer JSON to Accept %j', (header) => {
  expect(acceptsJson(header)).toBe(false);
});

it('gives the payload of a secret only to a single type that payloads can have', () => {
  expect(secretAccept(undefined)).toBe('metadata');
  expect(secretAccept('application/json, text/plain, */*')).toBe('metadata');
  expect(secretAccept('*/*;q=0.8')).toBe('metadata');
  expect(secretAccept('')).toEqual({ as: 'raw', contentType: 'application/octet-stream' });
  expect(secretAccept('text/plain')).toEqual({ as: 'text', contentType: 'text/plain; charset=UTF-8' });
  expect(secretAccept('text/plain, application/octet-stream')).toBeUndefined();
  expect(secretAccept('application/xml')).toBeUndefined();
});

it('asks for a payload as raw bytes, as text or as it was stored, and refuses lists, q-values and JSON', () => {
  expect(payloadAccept(undefined)).toEqual({ as: 'raw', contentType: 'application/octet-stream' });
  expect(payloadAccept('*/*')).toEqual({ as: 'stored' });
  expect(payloadAccept('TEXT/PLAIN')).toEqual({ as: 'text', contentType: 'text/plain; charset=UTF-8' });
  expect(payloadAccept('text/plain; charset=utf-8')).toEqual({
    as: 'text',
    contentType: 'text/plain; charset=utf-8',
  });
  expect(payloadAccept('text/plain;charset=utf-8')).toEqual({
    as: 'text',
    contentType: 'text/plain;charset=utf-8',
  });
  expect(payloadAccept('application/pkcs8')).toEqual({ as: 'raw', contentType: 'application/pkcs8' });
  for (const refused of [
    'application/json',
    'text/plain;q=0.5',
    'text/plain, */*',
    'text/plain;charset=latin-1',
    'x',
  ]) {
    expect(payloadAccept(refused)).toBeUndefined();
  }
});
