import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HeldMasterKeys } from '../../src/keyring/held-master-keys.ts';
import { keyringFileAt, readKeyringFile } from '../../src/keyring/keyring-file.ts';
import { splitAnew } from '../../src/keyring/split-file.ts';

const INSTALLATION = '000102030405060708090a0b0c0d0e0f';
const ONE = '5ec2e7'.repeat(10).concat('beef');
const TWO = '0facade0'.repeat(8);
const HEAD = `# mine\ninstallation ${INSTALLATION}\n`;
const BOTH = `${HEAD}key one ${ONE} active\n#key old ${TWO}\nkey two ${TWO}\n`;

let folder: string;
let path: string;
let now: number;
let lines: string[];
const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coffer-held-'));
  path = join(folder, 'keys');
  [now, lines] = [0, []];
});
afterEach(async () => await rm(folder, { recursive: true }));

async function write(content: string): Promise<void> {
  await writeFile(path, content, { mode: 0o600 });
}

async function hold(content: string): Promise<HeldMasterKeys> {
  await write(content);
  const options = { place: keyringFileAt(path), log, now: () => now };
  return new HeldMasterKeys(await readKeyringFile(path), options);
}

const hexOf = async (held: HeldMasterKeys, id: string): Promise<string> =>
  await held.use([id], (key) => Buffer.from(key).toString('hex'));

const free = async (): Promise<void> => {};
const violation = { code: 'integrity_violation' };

describe('the master keys of a file', () => {
  it('are looked for in it once more when one is not known', async () => {
    const held = await hold(`${HEAD}key one ${ONE} active\n`);
    await write(BOTH);
    expect(await hexOf(held, 'two')).toBe(TWO);
    expect(lines).toEqual([`Picked master keys up from ${path}: two.`]);
    expect(held.activeId).toBe('one');
  });

  it('are read at most once a second for ids that nobody knows', async () => {
    const held = await hold(`${HEAD}key one ${ONE} active\n`);
    await expect(hexOf(held, 'two')).rejects.toMatchObject(violation);
    await write(BOTH);
    now = 999;
    await expect(hexOf(held, 'two')).rejects.toMatchObject(violation);
    now = 1_000;
    const found = await Promise.all(Array.from({ length: 20 }, async () => await hexOf(held, 'two')));
    expect(new Set(found)).toEqual(new Set([TWO]));
    expect(lines.join()).not.toContain(TWO.slice(0, 12));
  });

  it('stay when what is in the file then is no keyring, and one that went stays too', async () => {
    const held = await hold(BOTH);
    for (const content of ['installation', `${HEAD}key three ${TWO} active\n`.replace('00', '11')]) {
      await write(content);
      now += 1_000;
      await expect(hexOf(held, 'three')).rejects.toMatchObject(violation);
    }
    await write(`${HEAD}key three ${TWO} active\n`);
    now += 1_000;
    expect(await hexOf(held, 'three')).toBe(TWO);
    expect(held.ids).toEqual(['one', 'two', 'three']);
  });

  it('are taken over by a reload: new ones come, those that are gone are wiped', async () => {
    const held = await hold(BOTH);
    const two = await held.use(['two'], (key) => key);
    await write(`${HEAD}key one ${ONE}\nkey three ${TWO} active\n`);
    const asked: string[][] = [];
    const reloaded = await held.reload(async (ids) => void asked.push([...ids]));
    expect(reloaded).toEqual({ added: ['three'], removed: ['two'], ids: ['one', 'three'] });
    expect(asked).toEqual([['two']]);
    expect(held.activeId).toBe('three');
    expect(two).toEqual(new Uint8Array(32));
    await expect(hexOf(held, 'two')).rejects.toMatchObject(violation);
    expect(await hexOf(held, 'one')).toBe(ONE);
  });

  it.for([
    ['is of another installation', `installation ${'1'.repeat(32)}\nkey one ${ONE} active\n`],
    ['has another key under an id', `${HEAD}key one ${TWO} active\n`],
    ['has no active key', `${HEAD}key one ${ONE}\n`],
  ])('stay as they were when the file %s', async ([, content]) => {
    const held = await hold(BOTH);
    await write(content as string);
    await expect(held.reload(free)).rejects.toMatchObject({ code: 'configuration' });
    expect(held.ids).toEqual(['one', 'two']);
    expect([await hexOf(held, 'one'), await hexOf(held, 'two')]).toEqual([ONE, TWO]);
  });

  it('stay when others may read the file, when it is gone, and when one is needed', async () => {
    const held = await hold(BOTH);
    await chmod(path, 0o640);
    await expect(held.reload(free)).rejects.toThrow('chmod 600');
    await rm(path);
    await expect(held.reload(free)).rejects.toThrow('does not exist');
    await write(`${HEAD}key three ${TWO} active\n`);
    const needed = async (): Promise<void> => {
      throw new Error('needed');
    };
    await expect(held.reload(needed)).rejects.toThrow('needed');
    expect(held.ids).toEqual(['one', 'two']);
    expect(await hexOf(held, 'two')).toBe(TWO);
  });
});

describe('a keyring file', () => {
  it('gets a key of its own, and keeps every other line, its mode and its owner', async () => {
    const held = await hold(BOTH.trimEnd());
    await chown(path, 1234, 1234).catch(() => {});
    const before = await stat(path);
    await held.add('three');
    const content = await readFile(path, 'utf8');
    expect(content.startsWith(BOTH)).toBe(true);
    expect(content.slice(BOTH.length)).toMatch(/^key three [0-9a-f]{64}\n$/);
    expect(content).toContain(await hexOf(held, 'three'));
    const after = await stat(path);
    expect([after.mode, after.uid, after.gid]).toEqual([before.mode, before.uid, before.gid]);
    expect(after.ino).not.toBe(before.ino);
    expect(await readdir(folder)).toEqual(['keys']);
    await expect(held.add('three')).rejects.toMatchObject({ code: 'conflict' });
  });

  it('never grows larger than what is read again', async () => {
    const large = `${BOTH}# ${'x'.repeat(64 * 1024 - BOTH.length - 20)}\n`;
    const held = await hold(large);
    await expect(held.add('three')).rejects.toMatchObject({ code: 'configuration' });
    expect(await readFile(path, 'utf8')).toBe(large);
    expect(held.ids).toEqual(['one', 'two']);
  });

  it('that gets a key while its shares are given stays in clear, with that key', async () => {
    const held = await hold(BOTH);
    const split = { threshold: 2, count: 3 };
    const handOver = async (): Promise<void> => await held.add('three');
    const anew = splitAnew(keyringFileAt(path), Buffer.from(INSTALLATION, 'hex'), { split, handOver });
    await expect(anew).rejects.toThrow('changed meanwhile');
    expect(await readFile(path, 'utf8')).toContain('key three ');
    await splitAnew(keyringFileAt(path), Buffer.from(INSTALLATION, 'hex'), {
      split,
      handOver: async () => {},
    });
    expect(await readFile(path, 'utf8')).not.toContain('key three ');
  });

  it('is changed where a link points to, and the link stays', async () => {
    await write(BOTH);
    const link = join(folder, 'link');
    await symlink(path, link);
    await keyringFileAt(link).replace(Buffer.from(`${BOTH}# more\n`));
    expect(await readFile(path, 'utf8')).toContain('# more');
    expect(await readdir(folder)).toEqual(['keys', 'link']);
    expect((await stat(link)).mode & 0o777).toBe(0o600);
  });

  it('loses a key and no other line; the one in use becomes the active one', async () => {
    const held = await hold(BOTH);
    await held.remove('one', 'two');
    expect(await readFile(path, 'utf8')).toBe(`${HEAD}#key old ${TWO}\nkey two ${TWO} active\n`);
    expect([held.ids, held.activeId]).toEqual([['two'], 'two']);
    await held.remove('one', 'two');
    expect(await readFile(path, 'utf8')).toBe(`${HEAD}#key old ${TWO}\nkey two ${TWO} active\n`);
  });

  it('is left as it is when what would be written is no keyring', async () => {
    const held = await hold(BOTH);
    await expect(held.remove('one', 'no-such')).rejects.toMatchObject({ code: 'configuration' });
    expect(await readFile(path, 'utf8')).toBe(BOTH);
    expect(await readdir(folder)).toEqual(['keys']);
    expect(await hexOf(held, 'one')).toBe(ONE);
  });
});
