import { execFileSync } from 'node:child_process';
import { constants, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openLogDestination } from '../../src/log-destination.ts';

const LINE = `${'x'.repeat(1_000)}\n`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coffer-log-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

it('writes every line before it is closed', async () => {
  const path = join(folder, 'log');
  const destination = openLogDestination(openSync(path, 'w'), () => expect.unreachable());
  for (let line = 0; line < 1_000; line += 1) destination.write(`${line}\n`);
  await destination.close();
  const lines = Array.from({ length: 1_000 }, (_, line) => `${line}\n`);
  expect(readFileSync(path, 'utf8')).toBe(lines.join(''));
});

it('loses lines on a full disk, says so once, and harms nobody', async () => {
  const said: string[] = [];
  const destination = openLogDestination(openSync('/dev/full', 'w'), (line) => said.push(line));
  for (let round = 0; round < 20; round += 1) {
    for (let line = 0; line < 500; line += 1) destination.write(LINE);
    await sleep(10);
  }
  await destination.close();
  expect(said).toEqual(['The log cannot be written (ENOSPC): lines are lost until it can.']);
});

it('is closed though nobody reads it any more', async () => {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const destination = openLogDestination(openSync(path, constants.O_RDWR | constants.O_NONBLOCK), () => {});
  for (let line = 0; line < 500; line += 1) destination.write(LINE);
  await sleep(300);
  const begun = performance.now();
  await destination.close();
  expect(performance.now() - begun).toBeLessThan(10_000);
});
