import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claim, readOwner } from '../../src/db/embedded-lock.ts';
import { birthOf, pidNamespace } from '../../src/db/embedded-process.ts';
import { rounds } from '../harness/rounds.ts';
import { buildOwner, makeFolder, removeFolder, startOwner } from './embedded-stage.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = makeFolder();
  path = join(folder, 'coffer.pid');
});
afterEach(() => removeFolder(folder));

const lines = (pid: number, birth: string, namespace = pidNamespace()): string =>
  `${pid}\n${birth}\n${namespace}\nserver\nsome-token\n`;

describe('the lock of a data directory', () => {
  it('names its owner on its first line, and is gone when released', () => {
    const lock = claim(path, 'server');
    expect(readFileSync(path, 'utf8').split('\n')[0]).toBe(String(process.pid));
    expect(readOwner(path)).toMatchObject({ pid: process.pid, purpose: 'server' });
    if (lock.held) lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is refused while its owner lives', () => {
    claim(path, 'server');
    expect(claim(path, 'command')).toMatchObject({ held: false, owner: { pid: process.pid } });
  });

  it.each([
    ['a process that has ended', lines(2 ** 22 + 1, 'boot/1')],
    ['a process whose pid another has now', lines(process.pid, 'boot/1')],
    ['a process of an earlier boot', lines(1, String(birthOf(1)).replace(/^[^/]+/, 'earlier'))],
    ['a process of another container', lines(process.pid, String(birthOf(process.pid)), 'pid:[1]')],
    ['nobody, as a power cut leaves it', ''],
    ['something else', 'hello\n'],
  ])('is taken from %s', (_owner, content) => {
    writeFileSync(path, content);
    const lock = claim(path, 'server');
    expect(lock.held).toBe(true);
    expect(readOwner(path)?.pid).toBe(process.pid);
    expect(readdirSync(folder)).toEqual(['coffer.pid']);
  });

  it('is not released by who no longer has it', () => {
    const lock = claim(path, 'server');
    writeFileSync(path, lines(1, String(birthOf(1))));
    if (lock.held) lock.release();
    expect(existsSync(path)).toBe(true);
  });

  it('of an owner that was killed goes to one process, however many want it at once', async () => {
    const program = await buildOwner(folder);
    for (let round = 0; round < rounds(30); round++) {
      writeFileSync(path, lines(process.pid, `boot/${round}`));
      const racers = Array.from({ length: 6 }, () => startOwner(program, path, 'race'));
      for (const racer of racers) await racer.next('ready');
      for (const { child } of racers) child.stdin.write('go\n');
      const said = await Promise.all(racers.map(async (racer) => await racer.next('held')));
      expect(said.filter((line) => line?.held === true).length).toBe(1);
      await Promise.all(racers.map(async (racer) => await racer.end()));
    }
  });
});
