import { type Parse, path, SettingProblem } from './parsers.ts';

/** A secret store: what holds master keys. */
export interface StoreSetting {
  name: string;
  kind: 'software';
  /** Of a `software` store: its keyring file. */
  file: string;
}

const RULE =
  'is NAME=software:FILE, or several with commas between, as main=software:/etc/coffer/keys,second=software:/etc/coffer/keys2';

/** Stores in the order that they are given in: the first is the default. */
export const storeList: Parse<readonly [StoreSetting, ...StoreSetting[]]> = (value, cwd) => {
  const [first, ...others] = value.split(',').map((item) => parseStore(item, cwd));
  if (first === undefined) throw new SettingProblem(RULE);
  const names = new Set([first, ...others].map(({ name }) => name));
  const files = new Set([first, ...others].map(({ file }) => file));
  if (names.size <= others.length) throw new SettingProblem('gives a name twice');
  if (files.size <= others.length) throw new SettingProblem('gives a file twice');
  return [first, ...others];
};

function parseStore(item: string, cwd: string): StoreSetting {
  const [, name, kind, rest] = /^([a-z][a-z0-9-]{0,62})=([a-z0-9]+):(.+)$/.exec(item) ?? [];
  if (name === undefined || kind === undefined || rest === undefined) throw new SettingProblem(RULE);
  if (kind !== 'software') throw new SettingProblem(`names the kind ${kind}; there is: software`);
  return { name, kind, file: path(rest, cwd) };
}
