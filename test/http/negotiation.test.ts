import { expect, it } from 'vitest';
import { acceptsJson } from '../../src/http/negotiation.ts';

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
