import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowsRequest } from '../../src/policy/access-rules.ts';
import { cpuTime } from '../harness/cpu-time.ts';
import { rounds } from '../harness/rounds.ts';

const service = 'key-manager';
const method = 'GET';
const segmentsOf = (path: string): string[] => path.split('/').filter((segment) => segment !== '');

function allows(pattern: string, path: string | string[]): boolean {
  const segments = typeof path === 'string' ? segmentsOf(path) : path;
  return allowsRequest([{ service, method, path: pattern }], { service, method, segments });
}

describe('a rule of one path', () => {
  it.each([
    ['/', '/', true],
    ['/', '/v1', false],
    ['/v1', '/v1', true],
    ['/v1/', '/v1', true],
    ['//v1//secrets//', '/v1/secrets', true],
    ['/v1/secrets', '/v1/secret', false],
    ['/v1/secrets', '/v1/secretsx', false],
    ['/v1/secrets', '/v1/secrets/x', false],
    ['/v1/secrets', '/v1/Secrets', false],
    ['/v1/secrets', '/V1/secrets', false],
    ['/v1/secrets', '/', false],
    // one segment, or a part of one that is not empty
    ['/v1/*', '/v1/secrets', true],
    ['/v1/*', '/v1', false],
    ['/v1/*', '/v1/secrets/x', false],
    ['/v1/*/x', '/v1/secrets/x', true],
    ['/v1/*/x', '/v1/x', false],
    ['/*/*', '/v1/secrets', true],
    ['/v1/a*', '/v1/abc', true],
    ['/v1/a*', '/v1/a', false],
    ['/v1/*c', '/v1/abc', true],
    ['/v1/a*c', '/v1/abbc', true],
    ['/v1/a*c', '/v1/ac', false],
    ['/v1/a*c', '/v1/a/c', false],
    // a name says no more than a star
    ['/v1/secrets/{secret_id}', '/v1/secrets/x', true],
    ['/v1/secrets/{secret_id}', '/v1/secrets', false],
    ['/v1/secrets/{secret_id}', '/v1/secrets/x/y', false],
    ['/v1/secrets/{secret_id}/payload', '/v1/secrets/x/payload', true],
    ['/v1/secrets/{}', '/v1/secrets/x', true],
    ['/v1/secrets/{a}-{b}', '/v1/secrets/x-y', true],
    ['/v1/secrets/{a}-{b}', '/v1/secrets/xy', false],
    // all below
    ['/**', '/v1/secrets/x', true],
    ['/**', '/', true],
    ['/v1/**', '/v1/secrets/x/payload', true],
    ['/v1/**', '/v2/secrets', false],
    ['/v1/**', '/v1', false],
    ['/v1/**/payload', '/v1/secrets/x/payload', true],
    ['/v1/**/payload', '/v1/secrets/x/metadata', false],
    ['/v1/**/payload', '/v1/payload', false],
    ['/v1/**payload', '/v1/payload', true],
    ['/v1/**', '/v1/x', true],
    ['/v1/***', '/v1/x/y', true],
    ['/v1/***', '/v1', false],
    ['/v1/****', '/v1/x/y', true],
    // nothing else means anything
    ['/v1/.*', '/v1/secrets', false],
    ['/v1/.*', '/v1/.x', true],
    ['/v1/secret.', '/v1/secrets', false],
    ['/v1/[a-z]+', '/v1/secrets', false],
    ['/v1/(secrets|x)', '/v1/secrets', false],
    ['/v1/secrets$', '/v1/secrets', false],
    ['/v1/?', '/v1/s', false],
    ['/v1/{open', '/v1/{open', true],
    ['/v1/{open', '/v1/x', false],
    ['/v1/close}', '/v1/close}', true],
    ['/v1/\\*', '/v1/x', false],
    ['/v1/%73ecrets', '/v1/secrets', false],
    ['/v1/世界', '/v1/世界', true],
    ['/v1/😀*', '/v1/😀😀', true],
    ['', '/', false],
  ])('%s against %s is %s', (pattern, path, expected) => {
    expect(allows(pattern, path)).toBe(expected);
  });

  it.each([
    ['/v1/*', ['v1', 'a/b'], true],
    ['/v1/a/b', ['v1', 'a/b'], false],
    ['/v1/*/*', ['v1', 'a/b'], false],
    ['/v1/secrets', ['v1/secrets'], false],
    ['/v1/**', ['v1', '../v2'], true],
    ['/v1/**', ['v2', '/v1/x'], false],
    ['/v1/', ['v1', ''], false],
    ['/v1/*', ['v1', ''], false],
  ])('%s takes what a segment holds for one segment: %j is %s', (pattern, segments, expected) => {
    expect(allows(pattern, segments)).toBe(expected);
  });
});

describe('rules', () => {
  const asked = { service, method, segments: ['v1', 'secrets'] };
  const rule = { service, method, path: '/v1/secrets' };

  it('that are not there restrict nothing, and of which there is none allow nothing', () => {
    expect(allowsRequest(null, asked)).toBe(true);
    expect(allowsRequest([], asked)).toBe(false);
  });

  it('allow when one of them does, each as a whole', () => {
    expect(allowsRequest([{ ...rule, path: '/v1/orders' }, rule], asked)).toBe(true);
    for (const changes of [
      { service: 'identity' },
      { method: 'POST' },
      { method: 'get' },
      { service: 'Key-manager' },
    ]) {
      expect(allowsRequest([{ ...rule, ...changes }], asked)).toBe(false);
    }
    const halves = [
      { ...rule, method: 'POST' },
      { ...rule, path: '/v1/orders' },
      { ...rule, service: 'identity' },
    ];
    expect(allowsRequest(halves, asked)).toBe(false);
  });

  it('of many wildcards cost little against any path', () => {
    const pattern = `/${'**a*'.repeat(55)}b`;
    const started = cpuTime();
    expect(allows(pattern, `/${'a'.repeat(4_000)}`)).toBe(false);
    expect(cpuTime() - started).toBeLessThan(2_000);
  });

  const part = fc.constantFrom('a', 'b', 'ab', '*', '{x}', '**', 'a*', '.', '+');
  const pattern = fc.array(part, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`);
  const segments = fc.array(fc.constantFrom('a', 'b', 'ab', 'aa', '.', '+', 'ba'), { maxLength: 6 });

  it('agree with a regular expression of the same meaning', () => {
    fc.assert(
      fc.property(pattern, segments, (path, asking) => {
        const source = path
          .replace(/(?<=.)\/$/, '')
          .replace(/[.+?^$()|[\]\\]/g, '\\$&')
          .replace(/\{[^}]*\}/g, '*')
          .replaceAll('**', '\0')
          .replaceAll('*', '[^/]+')
          .replaceAll('\0', '.*');
        expect(allows(path, asking)).toBe(new RegExp(`^${source}$`).test(`/${asking.join('/')}`));
      }),
      { numRuns: rounds(20_000) },
    );
  });
});
