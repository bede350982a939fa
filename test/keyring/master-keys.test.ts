import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKeyringFile, readKeyringFile } from '../../src/keyring/keyring-file.ts';
import { parseKeyring } from '../../src/keyring/master-keys.ts';
import { readVectors } from '../vectors/read-vectors.ts';

const INSTALLATION = '000102030405060708090a0b0c0d0e0f';
const KEY = `${'5ec2e7'.repeat(10)}beef`;
const OTHER_KEY = '0facade0'.repeat(8);
const GOOD = `installation ${INSTALLATION}\nkey one ${KEY} active\n`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coffer-keyring-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

const parse = (content: string | Uint8Array): ReturnType<typeof parseKeyring> =>
  parseKeyring('./keys', Buffer.from(content as string));

function refusalOf(content: string): unknown {
  try {
    parse(content);
  } catch (error) {
    const all = inspect(error, { showHidden: true });
    for (const key of [KEY, OTHER_KEY, INSTALLATION]) expect(all).not.toContain(key.slice(0, 12));
    return error;
  }
  return expect.unreachable('it was accepted');
}

async function fileOf(name: string, content: string, mode = 0o600): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
}

describe('a keyring', () => {
  it('is read as the golden one says', () => {
    const vector = readVectors<{
      content: string;
      installation: string;
      active: string;
      keys: Record<string, string>;
    }>('keyring.json');
    const { installationId, activeId, keys } = parse(vector.content);
    expect(Buffer.from(installationId).toString('hex')).toBe(vector.installation);
    expect(activeId).toBe(vector.active);
    const found = [...keys].map(([id, key]) => [id, Buffer.from(key).toString('hex')] as const);
    expect(Object.fromEntries(found)).toEqual(vector.keys);
  });

  it('may have comments, empty lines, tabs, carriage returns and capital digits, in any order', () => {
    const { installationId, activeId, keys } = parse(
      `# a comment\r\n\r\n  key\tone  ${KEY.toUpperCase()}  active \r\n#key two ${OTHER_KEY}\n\n   # more\n` +
        `key two ${OTHER_KEY}\ninstallation ${INSTALLATION}`,
    );
    expect(Buffer.from(installationId).toString('hex')).toBe(INSTALLATION);
    expect(activeId).toBe('one');
    expect([...keys.keys()]).toEqual(['one', 'two']);
    expect(Buffer.from(keys.get('one')!).toString('hex')).toBe(KEY);
  });

  it('holds keys in memory of their own, which outlives the file’s bytes', () => {
    const content = Buffer.from(GOOD);
    const { keys, installationId } = parseKeyring('./keys', content);
    content.fill(0);
    expect(Buffer.from(keys.get('one')!).toString('hex')).toBe(KEY);
    expect(Buffer.from(installationId).toString('hex')).toBe(INSTALLATION);
  });

  const line = (number: number, why: string): string => `The keyring ./keys line ${number}: ${why}`;
  const noHexKey = 'a key is 64 hexadecimal digits, not all zero';
  const noHexId = 'an installation id is 32 hexadecimal digits, not all zero';
  const noId = 'a key id is 1 to 64 letters, digits, dots, dashes or underscores';
  const onlyActive = "after the key only the word 'active' may stand";
  const noWord = "a line begins with 'installation', 'key' or '#'";
  const noActive = "The keyring ./keys has no key that is 'active'";

  it.each([
    ['nothing in it', '', "The keyring ./keys has no line 'installation …'"],
    ['no installation', `key one ${KEY} active`, "The keyring ./keys has no line 'installation …'"],
    ['no key', `installation ${INSTALLATION}`, noActive],
    ['no active key', `installation ${INSTALLATION}\nkey one ${KEY}`, noActive],
    ['two active keys', `${GOOD}key two ${OTHER_KEY} active`, line(3, 'one key can be active')],
    ['an id twice', `${GOOD}key one ${OTHER_KEY}`, line(3, 'this key id is taken already')],
    ['two installations', `${GOOD}installation ${INSTALLATION}`, line(3, 'one installation id, once')],
    ['an installation and more', `installation ${INSTALLATION} x`, line(1, 'one installation id, once')],
    ['an installation too short', `installation ${INSTALLATION.slice(1)}`, line(1, noHexId)],
    ['an installation of zeros', `installation ${'0'.repeat(32)}`, line(1, noHexId)],
    ['an installation that is missing', 'installation', line(1, noHexId)],
    ['a key too short', `${GOOD}key two ${OTHER_KEY.slice(1)}`, line(3, noHexKey)],
    ['a key too long', `${GOOD}key two ${OTHER_KEY}0`, line(3, noHexKey)],
    ['a key with another letter', `${GOOD}key two ${OTHER_KEY.slice(1)}g`, line(3, noHexKey)],
    ['a key with a sign below the digits', `${GOOD}key two ${OTHER_KEY.slice(1)}/`, line(3, noHexKey)],
    ['a key with a sign above the digits', `${GOOD}key two ${OTHER_KEY.slice(1)}:`, line(3, noHexKey)],
    ['a key with a sign below the letters', `${GOOD}key two ${OTHER_KEY.slice(1)}@`, line(3, noHexKey)],
    ['a key with bytes past ASCII', `${GOOD}key two ${OTHER_KEY.slice(2)}é`, line(3, noHexKey)],
    ['a key of zeros', `${GOOD}key two ${'0'.repeat(64)}`, line(3, noHexKey)],
    ['a key that is missing', `${GOOD}key two`, line(3, noHexKey)],
    ['a key without an id', `${GOOD}key`, line(3, noId)],
    ['a key in the id’s place', `${GOOD}key ${OTHER_KEY} two`, line(3, noHexKey)],
    ['a key and its id joined', `${GOOD}key two:${OTHER_KEY}`, line(3, noId)],
    ['an id that begins with a dash', `${GOOD}key -two ${OTHER_KEY}`, line(3, noId)],
    ['an id too long', `${GOOD}key ${'x'.repeat(65)} ${OTHER_KEY}`, line(3, noId)],
    ['another word after the key', `${GOOD}key two ${OTHER_KEY} retired`, line(3, onlyActive)],
    ['words after active', `${GOOD}key two ${OTHER_KEY} active x`, line(3, onlyActive)],
    ['a comment after the key', `${GOOD}key two ${OTHER_KEY} # x`, line(3, onlyActive)],
    ['a key alone on its line', `${GOOD}\n${OTHER_KEY}`, line(4, noWord)],
    ['a word in capitals', `${GOOD}KEY two ${OTHER_KEY}`, line(3, noWord)],
    ['a NUL', `${GOOD}\0`, line(3, noWord)],
  ])('with %s is refused, with the line and never its content', (_, content, message) => {
    expect(refusalOf(content)).toMatchObject({ code: 'configuration', message });
  });

  it('of the example file is refused until real keys stand in it', async () => {
    const example = await readFile(new URL('../../keys.example', import.meta.url));
    expect(() => parse(example)).toThrow('not all zero');
  });
});

describe('a keyring file', () => {
  it('is read when only its owner may', async () => {
    for (const mode of [0o600, 0o400]) {
      const { activeId } = await readKeyringFile(await fileOf(`good-${mode}`, GOOD, mode));
      expect(activeId).toBe('one');
    }
  });

  it.each([0o644, 0o640, 0o604, 0o660, 0o602, 0o601, 0o610])('with mode %o is refused', async (mode) => {
    const path = await fileOf(`mode-${mode}`, GOOD, mode);
    await expect(readKeyringFile(path)).rejects.toMatchObject({
      code: 'configuration',
      message: `The keyring ${path} can be read by others. Run: chmod 600 ${path}`,
    });
  });

  it('behind a link is judged by its own mode', async () => {
    const link = join(folder, 'link');
    await symlink(await fileOf('open', GOOD, 0o644), link);
    await expect(readKeyringFile(link)).rejects.toMatchObject({ code: 'configuration' });
  });

  it('that is missing is refused with the command that makes one', async () => {
    const path = join(folder, 'missing');
    await expect(readKeyringFile(path)).rejects.toMatchObject({
      code: 'configuration',
      message: `The keyring ${path} does not exist. Make one with: coffer keyring create ${path}`,
    });
  });

  it('that is a folder is refused', async () => {
    const path = join(folder, 'folder');
    await mkdir(path, { mode: 0o700 });
    await expect(readKeyringFile(path)).rejects.toMatchObject({
      code: 'configuration',
      message: `The keyring ${path} is not a regular file`,
    });
  });

  it('that is larger than a keyring can be is refused', async () => {
    const path = await fileOf('large', `${GOOD}${'#'.repeat(70_000)}`);
    await expect(readKeyringFile(path)).rejects.toThrow('is larger than a keyring can be');
  });

  it('is made with keys of its own, for its owner alone', async () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    await createKeyringFile(first, 'mk-1');
    await createKeyringFile(second, 'mk-1');
    expect((await stat(first)).mode & 0o777).toBe(0o600);
    const [one, other] = [await readKeyringFile(first), await readKeyringFile(second)];
    expect(one.activeId).toBe('mk-1');
    expect(one.keys.get('mk-1')).not.toEqual(other.keys.get('mk-1'));
    expect(one.installationId).not.toEqual(other.installationId);
  });

  it('is whole as soon as it is there, for whoever finds it after a kill', async () => {
    for (let round = 0; round < 20; round += 1) {
      const path = join(folder, `round-${round}`);
      let isMade = false;
      const making = createKeyringFile(path, 'mk-1').finally(() => (isMade = true));
      while (!isMade) {
        if (existsSync(path)) expect(parse(readFileSync(path)).activeId).toBe('mk-1');
        await setImmediate();
      }
      await making;
    }
    const names = (await readdir(folder)).filter((name) => name.startsWith('round-'));
    expect(names).toHaveLength(20);
  });

  it('is never overwritten', async () => {
    const path = await fileOf('precious', GOOD);
    await expect(createKeyringFile(path, 'mk-1')).rejects.toMatchObject({
      code: 'configuration',
      message: `The keyring ${path} exists already. A keyring is never overwritten`,
    });
    expect(await readFile(path, 'utf8')).toBe(GOOD);
  });

  it('is not made with an id that it could not be read with', async () => {
    for (const id of ['', 'two words', '-x', 'x\ny', 'x'.repeat(65)]) {
      await expect(createKeyringFile(join(folder, 'bad'), id)).rejects.toMatchObject({
        code: 'configuration',
      });
    }
    await expect(stat(join(folder, 'bad'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('that cannot be made says why', async () => {
    await expect(createKeyringFile(join(folder, 'no', 'folder'), 'mk-1')).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('cannot be made (ENOENT)') as string,
    });
  });
});
