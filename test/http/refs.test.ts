import { describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import { isUuidV4, parseReference, refTo, requireIdSyntax } from '../../src/http/refs.ts';

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

describe('a reference that a client gives', () => {
  const addresses = {
    publicUrl: 'https://kms.example/vault',
    formerUrls: ['http://old.example:9311', 'https://[fd00::1]:9311/x%20y'],
  };
  const parse = (text: string) => parseReference(addresses, 'secrets', text);

  it.each([
    ['a bare id', id],
    ['under the public URL', `https://kms.example/vault/v1/secrets/${id}`],
    ['with one slash at its end', `https://kms.example/vault/v1/secrets/${id}/`],
    ['with its default port', `https://kms.example:443/vault/v1/secrets/${id}`],
    ['with scheme and host in capitals', `HTTPS://KMS.Example/vault/v1/secrets/${id}`],
    ['under a former address', `http://old.example:9311/v1/secrets/${id}`],
    ['under one with an IPv6 address and an escape', `https://[FD00::1]:9311/x%20y/v1/secrets/${id}`],
  ])('is understood: %s', (_, text) => {
    expect(parse(text)).toBe(id);
  });

  it.each([
    ['no id', 'https://kms.example/vault/v1/secrets/'],
    ['something else', 'https://kms.example/vault/v1/secrets/payload'],
    ['an id in capitals', `https://kms.example/vault/v1/secrets/${id.toUpperCase()}`],
    ['more than the id', `https://kms.example/vault/v1/secrets/${id}/payload`],
    ['two slashes', `https://kms.example/vault/v1/secrets/${id}//`],
    ['an encoded slash', `https://kms.example/vault/v1/secrets/${id}%2F`],
    ['an encoded letter', `https://kms.example/vault/v1/secrets/%64${id.slice(1)}`],
  ])('names nothing when it is ours and ends in %s', (_, text) => {
    expect(parse(text)).toBeUndefined();
  });

  it.each([
    ['nothing', ''],
    ['no URL', 'x'],
    ['an id in capitals', id.toUpperCase()],
    ['an id without dashes', id.replaceAll('-', '')],
    ['a path alone', `/v1/secrets/${id}`],
    ['a relative scheme', `//kms.example/vault/v1/secrets/${id}`],
    ['another host', `https://elsewhere.example/vault/v1/secrets/${id}`],
    ['a host that begins like ours', `https://kms.example.evil.example/vault/v1/secrets/${id}`],
    ['a host that ends like ours', `https://evil-kms.example/vault/v1/secrets/${id}`],
    ['another scheme', `http://kms.example/vault/v1/secrets/${id}`],
    ['another port', `https://kms.example:9311/vault/v1/secrets/${id}`],
    ['an empty port', `https://kms.example:/vault/v1/secrets/${id}`],
    ['a port with a zero before it', `https://kms.example:0443/vault/v1/secrets/${id}`],
    ['no port where ours has one', `http://old.example/v1/secrets/${id}`],
    ['the base without its path', `https://kms.example/v1/secrets/${id}`],
    ['a longer path', `https://kms.example/vault/vault/v1/secrets/${id}`],
    ['another version', `https://kms.example/vault/v2/secrets/${id}`],
    ['another collection', `https://kms.example/vault/v1/containers/${id}`],
    ['a collection in capitals', `https://kms.example/vault/v1/Secrets/${id}`],
    ['credentials', `https://user:word@kms.example/vault/v1/secrets/${id}`],
    ['empty credentials', `https://@kms.example/vault/v1/secrets/${id}`],
    ['our host as credentials', `https://kms.example@evil.example/vault/v1/secrets/${id}`],
    ['a query', `https://kms.example/vault/v1/secrets/${id}?x=1`],
    ['an empty query', `https://kms.example/vault/v1/secrets/${id}?`],
    ['a fragment', `https://kms.example/vault/v1/secrets/${id}#x`],
    ['an empty fragment', `https://kms.example/vault/v1/secrets/${id}#`],
    ['two dots', `https://kms.example/vault/v1/containers/../secrets/${id}`],
    ['encoded dots', `https://kms.example/vault/v1/x/%2e%2E/secrets/${id}`],
    ['a dot', `https://kms.example/vault/v1/./secrets/${id}`],
    ['two slashes within', `https://kms.example/vault//v1/secrets/${id}`],
    ['an encoded slash within', `https://kms.example/vault/v1%2Fsecrets/${id}`],
    ['backslashes', `https:\\\\kms.example\\vault\\v1\\secrets\\${id}`],
    ['a backslash', `https://kms.example/vault/v1/secrets\\${id}`],
    ['a tab', `https://kms.example/vault/v1/secrets\t/${id}`],
    ['a line break in the host', `https://kms.exa\nmple/vault/v1/secrets/${id}`],
    ['white space before', ` https://kms.example/vault/v1/secrets/${id}`],
    ['white space behind', `https://kms.example/vault/v1/secrets/${id} `],
    ['three slashes', `https:///kms.example/vault/v1/secrets/${id}`],
    ['one slash', `https:/kms.example/vault/v1/secrets/${id}`],
    ['an encoded host', `https://%6bms.example/vault/v1/secrets/${id}`],
    ['a host of wide letters', `https://ｋｍｓ.example/vault/v1/secrets/${id}`],
    ['a dot behind the host', `https://kms.example./vault/v1/secrets/${id}`],
    ['an id behind a NUL', `https://kms.example/vault/v1/secrets/\0${id}`],
    ['another form of the IPv6 address', `https://[fd00:0::1]:9311/x%20y/v1/secrets/${id}`],
    ['no web address', `javascript://kms.example/vault/v1/secrets/${id}`],
  ])('is refused with %s', (_, text) => {
    expect(() => parse(text)).toThrow(
      new CofferError('bad_request', 'Provided field value is not supported'),
    );
  });

  it('takes no other spelling of a host that is an address', () => {
    const local = { publicUrl: 'http://127.0.0.1:9311', formerUrls: [] };
    expect(parseReference(local, 'secrets', `http://127.0.0.1:9311/v1/secrets/${id}`)).toBe(id);
    for (const host of ['127.1', '0x7f.0.0.1', '2130706433', '127.0.0.01', 'localhost']) {
      expect(() => parseReference(local, 'secrets', `http://${host}:9311/v1/secrets/${id}`)).toThrow();
    }
  });

  it('is read for the collection that is asked for', () => {
    expect(parseReference(addresses, 'containers', `https://kms.example/vault/v1/containers/${id}`)).toBe(id);
  });
});
