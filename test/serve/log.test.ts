import { expect, it } from 'vitest';
import { createLog } from '../../src/server.ts';

it('shows of a driver’s or parser’s error where it happened, and nothing that it quotes, at any depth', () => {
  const lines: string[] = [];
  const log = createLog({ logLevel: 'trace' }, { write: (line) => void lines.push(line) });
  const quoted = Object.assign(new Error('invalid input: canary-4711'), {
    code: '22P02',
    detail: 'canary-4711',
    where: 'canary-4711',
  });
  log.error({ err: new Error('the work failed', { cause: quoted }) }, 'failed');
  const [line = ''] = lines;
  expect(line).toContain('the work failed');
  expect(line).toContain('22P02');
  expect(line).not.toContain('canary-4711');
});
