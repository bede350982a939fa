import { expect, it } from 'vitest';
import { isUuidV4, refTo, requireIdSyntax } from '../../src/http/refs.ts';

const id = 'dcd327cc-56ea-478f-b761-911e3edcfb94';

it('writes references without a slash at the end', () => {
  expect(refTo('http://kms.example', 'secrets', id)).toBe(`http://kms.example/v1/secrets/${id}`);
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
