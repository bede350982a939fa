import { expect, it } from 'vitest';
import { createRevisionMemory } from '../../src/db/revisions.ts';

it('refuses to go back, for each row of each table', () => {
  const memory = createRevisionMemory();
  memory.check('users', { id: 'a', revision: 3n });
  memory.check('users', { id: 'a', revision: 3n });
  memory.check('users', { id: 'a', revision: 4n });
  expect(memory.isOlder('users', { id: 'a', revision: 3n })).toBe(true);
  expect(() => memory.check('users', { id: 'a', revision: 3n })).toThrow('Integrity Violation');
  expect(memory.isOlder('users', { id: 'b', revision: 1n })).toBe(false);
  expect(memory.isOlder('projects', { id: 'a', revision: 1n })).toBe(false);
});

it('keeps to its bound, and remembers what was seen of late', () => {
  const memory = createRevisionMemory();
  memory.check('users', { id: 'first', revision: 9n });
  memory.check('users', { id: 'kept', revision: 9n });
  for (let n = 0; n < 100_000 - 1; n += 1) {
    if (n % 1_000 === 0) memory.check('users', { id: 'kept', revision: 9n });
    memory.check('users', { id: String(n), revision: 1n });
  }
  expect(memory.isOlder('users', { id: 'kept', revision: 8n })).toBe(true);
  expect(memory.isOlder('users', { id: 'first', revision: 8n })).toBe(false);
});
