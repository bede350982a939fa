import { expect, it } from 'vitest';
import { envelope, readPage } from '../../src/http/paging.ts';

const limits = { pageDefault: 10, pageMax: 100 };

it.each([
  [{}, { offset: 0, limit: 10 }],
  [
    { offset: '5', limit: '2' },
    { offset: 5, limit: 2 },
  ],
  [
    { offset: '-5', limit: '-2' },
    { offset: 0, limit: 1 },
  ],
  [
    { offset: 'abc', limit: 'abc' },
    { offset: 0, limit: 10 },
  ],
  [
    { offset: '1e2', limit: '2.0' },
    { offset: 0, limit: 10 },
  ],
  [
    { offset: '99999999999999999999', limit: '99999999999999999999' },
    { offset: 0, limit: 100 },
  ],
  [
    { offset: '9'.repeat(400), limit: '9'.repeat(400) },
    { offset: 0, limit: 100 },
  ],
  [{ limit: '0' }, { offset: 0, limit: 1 }],
  [{ limit: '' }, { offset: 0, limit: 10 }],
  [{ limit: '101' }, { offset: 0, limit: 100 }],
])('reads the page of %j', (query, page) => {
  expect(readPage(query as Record<string, string>, limits)).toEqual(page);
});

const asked = (query: Record<string, string>) => ({
  publicUrl: 'http://kms.example',
  path: '/v1/secrets',
  query,
  page: readPage(query, limits),
});

it('links to the pages around, with the filters kept', () => {
  const query = { offset: '3', limit: '2', name: 'a b&c', sort: 'name:desc' };
  expect(envelope('secrets', { items: [1, 2], total: 9 }, asked(query))).toEqual({
    secrets: [1, 2],
    previous: 'http://kms.example/v1/secrets?limit=2&offset=1&name=a+b%26c&sort=name%3Adesc',
    next: 'http://kms.example/v1/secrets?limit=2&offset=5&name=a+b%26c&sort=name%3Adesc',
    total: 9,
  });
});

it('ends at both ends, and past the end has a total only', () => {
  expect(envelope('secrets', { items: [1], total: 1 }, asked({}))).toEqual({ secrets: [1], total: 1 });
  expect(envelope('secrets', { items: [], total: 3 }, asked({ offset: '50' }))).toEqual({
    secrets: [],
    total: 3,
  });
  expect(envelope('secrets', { items: [3], total: 3 }, asked({ offset: '2', limit: '5' }))).toEqual({
    secrets: [3],
    previous: 'http://kms.example/v1/secrets?limit=5&offset=0',
    total: 3,
  });
});
