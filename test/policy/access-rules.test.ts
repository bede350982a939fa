import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultHttpLimits } from '../../src/http/limits.ts';
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
    ['/v1/****x', '/v1/x', true],
    ['/v1/{a}**x', '/v1/ax', true],
    ['/v1/{a}**x', '/v1/x', false],
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

  it.each([
    ['many wildcards', `/${'**a'.repeat(74)}b`],
    ['one wildcard', `/**${'a'.repeat(221)}b`],
    [
      'many characters',
      `/**${Array.from({ length: 222 }, (_, at) => String.fromCharCode(0x4e00 + at)).join('')}`,
    ],
  ])('of %s, a hundred of them, cost little against the longest path', (_of, pattern) => {
    expect(pattern.length).toBeLessThanOrEqual(225);
    const many = Array.from({ length: 100 }, () => ({ service, method, path: pattern }));
    const ask = (length: number) =>
      allowsRequest(many, { service, method, segments: ['a'.repeat(length - 1)] });
    const started = cpuTime();
    for (let request = 0; request < 10 && cpuTime() - started < 1_000; request += 1) {
      expect(ask(defaultHttpLimits.headerBytesMax)).toBe(false);
      expect(ask(640)).toBe(false);
    }
    expect(cpuTime() - started).toBeLessThan(1_000);
  });

  it('hold for the longest path that is served, and allow none that is longer', () => {
    const id = 'dcd327cc-56ea-478f-b761-911e3edcfb94';
    const key = '𝕜'.repeat(255);
    const tag = ['v3', 'projects', id.repeat(2).slice(0, 64), 'tags', key];
    for (const path of ['/**', '/v1/secrets/*/metadata/{key}', `/v1/secrets/${id}/metadata/𝕜*`]) {
      expect(allows(path, ['v1', 'secrets', id, 'metadata', key])).toBe(true);
    }
    expect(allows('/v3/projects/{project_id}/tags/{tag}', tag)).toBe(true);
    expect(allows('/**', ['a'.repeat(639)])).toBe(true);
    expect(allows('/**', ['a'.repeat(640)])).toBe(false);
  });

  const part = fc.constantFrom('a', 'b', 'ab', '*', '{x}', '**', 'a*', '****b', '{x}**b', '.', '+');
  const pattern = fc.array(part, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`);
  const segments = fc.array(fc.constantFrom('a', 'b', 'ab', 'aa', '.', '+', 'ba'), { maxLength: 6 });

  // So long that what follows lies anywhere in the pattern.
  const beginning = fc.nat({ max: 70 }).map((length) => 'x'.repeat(length));

  it('agree with a regular expression of the same meaning', () => {
    fc.assert(
      fc.property(beginning, pattern, segments, (begun, rest, after) => {
        const path = `/${begun}${rest.slice(1)}`;
        const asking = `${begun}${after.join('/')}`.split('/');
        const source = path
          .replace(/(?<=.)\/$/, '')
          .replace(/[.+?^$()|[\]\\]/g, '\\$&')
          .replace(/\{[^}]*\}/g, '<>')
          .replaceAll('**', '\0')
          .replaceAll('*', '[^/]+')
          .replaceAll('<>', '[^/]+')
          .replaceAll('\0', '.*');
        expect(allows(path, asking)).toBe(new RegExp(`^${source}$`).test(`/${asking.join('/')}`));
      }),
      { numRuns: rounds(20_000) },
    );
  });
});
