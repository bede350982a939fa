import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { settings } from '../../src/config/settings.ts';
import { outcomes } from '../../src/http/errors.ts';
import { bare, tableOf } from './readme.ts';

describe('the README', () => {
  const readme = existsSync('README.md') ? readFileSync('README.md', 'utf8') : '';

  it('lists every setting with its default and what it does', () => {
    const listed = tableOf(readme, 'settings').map(([name, byDefault, description]) => [
      bare(name),
      bare(byDefault),
      description,
    ]);
    const existing = Object.values(settings).map((setting) => [
      setting.name,
      setting.default ?? ('otherwise' in setting ? setting.otherwise : ''),
      setting.description,
    ]);
    expect(listed).toEqual(existing);
  });

  it('lists every error code with its status', () => {
    const listed = tableOf(readme, 'errors').map(([code, status]) => [bare(code), Number(status)]);
    const existing = Object.entries(outcomes).map(([code, { status }]) => [code, status]);
    expect(listed).toEqual(existing);
  });
});

describe('the reading of the README', () => {
  it('takes the table after the mark, up to the next heading, with escaped bars in one cell', () => {
    const markdown =
      'x\n| no | no |\n<!-- a -->\n| n | d |\n|---|---|\n| `X` | a \\| b |\n\n# End\n| no | no |\n';
    expect(tableOf(markdown, 'a')).toEqual([['`X`', 'a \\| b']]);
    expect(bare('`X`')).toBe('X');
  });

  it('refuses a README without the mark', () => {
    expect(() => tableOf('| a | b |', 'settings')).toThrow('settings');
  });
});
