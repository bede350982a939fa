import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseContainerFilter } from '../../src/containers/list-filter.ts';
import { parseContainerSecret, parseNewContainer } from '../../src/containers/schema.ts';
import { CofferError } from '../../src/errors.ts';
import { rounds } from '../harness/rounds.ts';

const read = (reference: string): string => reference;

describe('the body of a new container', () => {
  it('holds at most a thousand secrets', () => {
    const refs = Array.from({ length: 1_001 }, () => randomUUID()).map((id) => ({
      name: id,
      secret_ref: id,
    }));
    expect(parseNewContainer({ type: 'generic', secret_refs: refs.slice(1) }, read).slots).toHaveLength(
      1_000,
    );
    const tooMany = () => parseNewContainer({ type: 'generic', secret_refs: refs }, read);
    expect(tooMany).toThrow('A container holds at most 1000 secrets.');
  });

  it('of any JSON is taken whole or refused with a description, and changes nothing that it was given', () => {
    const anyJson = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          type: fc.oneof(fc.constantFrom('generic', 'rsa', 'certificate', ' rsa ', 'dsa'), fc.jsonValue()),
          name: fc.jsonValue(),
          secret_refs: fc.oneof(
            fc.jsonValue(),
            fc.array(fc.record({ name: fc.jsonValue(), secret_ref: fc.jsonValue() }, { requiredKeys: [] })),
          ),
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(anyJson, (body) => {
        const before = JSON.stringify(body);
        for (const parse of [parseNewContainer, parseContainerSecret]) {
          try {
            parse(body, read);
          } catch (error) {
            expect(error).toBeInstanceOf(CofferError);
            expect(error).toMatchObject({ code: 'bad_request', description: expect.stringMatching(/./) });
          }
        }
        expect(JSON.stringify(body)).toBe(before);
      }),
      { numRuns: rounds(2_000) },
    );
  });
});

describe('the filter of a list', () => {
  it('takes name and type alone, and nothing that is empty', () => {
    const filter = { name: 'a%', type: 'rsa', limit: '1', status: 'x' };
    expect(parseContainerFilter(filter)).toEqual({ name: 'a%', type: 'rsa' });
    expect(parseContainerFilter({ name: '', type: '' })).toEqual({});
  });

  it.each([{ name: 'x'.repeat(1_025) }, { type: 'a\0' }, { name: '\ud800' }])('refuses %j', (query) => {
    expect(() => parseContainerFilter(query)).toThrow('URI provided invalid query string parameters.');
  });
});
