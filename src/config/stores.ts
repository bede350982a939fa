import { type Parse, path, SettingProblem } from './parsers.ts';

/** A secret store: what holds master keys. */
export type StoreSetting =
  | {
      name: string;
      kind: 'software';
      /** Its keyring file. */
      file: string;
    }
  | { name: string; kind: 'pkcs11' };

const RULE =
  'is NAME=software:FILE or NAME=pkcs11, or several with commas between, as main=software:/etc/coffer/keys,hsm=pkcs11';

/** Stores in the order that they are given in: the first is the default. */
export const storeList: Parse<readonly [StoreSetting, ...StoreSetting[]]> = (value, cwd) => {
  const [first, ...others] = value.split(',').map((item) => parseStore(item, cwd));
  if (first === undefined) throw new SettingProblem(RULE);
  const all = [first, ...others];
  const files = filesOf(all);
  if (new Set(all.map(({ name }) => name)).size < all.length) throw new SettingProblem('gives a name twice');
  if (new Set(files).size < files.length) throw new SettingProblem('gives a file twice');
  if (all.length - files.length > 1) throw new SettingProblem('has one store of the kind pkcs11 at most');
  return [first, ...others];
};

/** The keyring files among them. */
export function filesOf(stores: readonly StoreSetting[]): string[] {
  return stores.flatMap((store) => (store.kind === 'software' ? [store.file] : []));
}

function parseStore(item: string, cwd: string): StoreSetting {
  const [, name, kind, rest] = /^([a-z][a-z0-9-]{0,62})=([a-z0-9]+)(?::(.+))?$/.exec(item) ?? [];
  if (name === undefined) throw new SettingProblem(RULE);
  if (kind === 'pkcs11' && rest === undefined) return { name, kind };
  if (kind === 'software' && rest !== undefined) return { name, kind, file: path(rest, cwd) };
  throw new SettingProblem(
    ['software', 'pkcs11'].includes(kind ?? '') ? RULE : `names the kind ${kind}; ${RULE}`,
  );
}
