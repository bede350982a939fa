import { expect, it } from 'vitest';
import { isUuidV4, parseReference, refTo, requireIdSyntax } from '../../src/http/refs.ts';

const id = 'dcd327cc-56ea-478f-b761-911e3edcfb94';
const addresses = {
  publicUrl: 'https://kms.example:9311',
  formerUrls: ['http://old.example', 'http://older.example/kms/'],
};

it('writes references without a slash at the end', () => {
  expect(refTo('http://kms.example', 'secrets', id)).toBe(`http://kms.example/v1/secrets/${id}`);
});

it('reads references under the present and each former address, and bare ids', () => {
  expect(parseReference(`https://kms.example:9311/v1/secrets/${id}`, addresses)).toEqual({
    collection: 'secrets',
    id,
  });
  expect(parseReference(`http://old.example/v1/containers/${id}/`, addresses)).toEqual({
    collection: 'containers',
    id,
  });
  expect(parseReference(`http://older.example/kms/v1/orders/${id}`, addresses)).toEqual({
    collection: 'orders',
    id,
  });
  expect(parseReference(id, addresses)).toEqual({ collection: null, id });
});

it.each([
  `http://elsewhere.example/v1/secrets/${id}`,
  `https://kms.example:9311.evil.example/v1/secrets/${id}`,
  `https://kms.example:9311/v1/secrets/${id}/payload`,
  `https://kms.example:9311/v1/secrets/../${id}`,
  `https://kms.example:9311/v1/nothing/${id}`,
  `https://kms.example:9311/v1/secrets/`,
  `https://kms.example:9311/v1/secrets/${id}?x`,
  `https://kms.example:9311/v2/secrets/${id}`,
  '',
  `${id}\n`,
  ' ',
])('refuses %j as a reference', (text) => {
  expect(parseReference(text, addresses)).toBeUndefined();
});

it('takes only canonical version 4 UUIDs for ids', () => {
  expect(isUuidV4(id)).toBe(true);
  for (const bad of [
    id.toUpperCase(),
    id.replaceAll('-', ''),
    `${id}\n`,
    id.replace('-4', '-1'),
    id.replace('-b', '-c'),
    '',
  ]) {
    expect(isUuidV4(bad)).toBe(false);
  }
});

it('names what a malformed id is the id of', () => {
  expect(() => requireIdSyntax({ secretId: id, orderId: 'any' })).not.toThrow();
  expect(() => requireIdSyntax({ secretId: id.toUpperCase() })).toThrow(
    'Not Found. Provided secret id is invalid.',
  );
  expect(() => requireIdSyntax({ consumerId: 'x' })).toThrow('Not Found. Provided consumer id is invalid.');
  expect(() => requireIdSyntax({ transportKeyId: 'x' })).toThrow(
    'Not Found. Provided transport key id is invalid.',
  );
});
