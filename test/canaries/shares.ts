import { combinePoints } from '../../src/crypto/secret-sharing.ts';
import { readKeyring } from '../../src/keyring/keyring-file.ts';
import type { MasterKeys } from '../../src/keyring/master-keys.ts';
import { formatShare, parseShare } from '../../src/keyring/shares.ts';
import { splitKeyringAt } from '../../src/keyring/split-file.ts';
import { nameOfSet } from '../../src/keyring/split-keyring.ts';
import { ask, asJson } from '../serve/ask.ts';
import type { CanaryValues } from './canary-values.ts';

/** Shares of a keyring, and the key that they give: each as it is written, as its digits alone, as bytes. */
export function knowShares(canaries: CanaryValues, shares: readonly string[]): void {
  for (const [index, share] of shares.entries()) {
    canaries.know(`share ${index + 1}`, share.slice(15));
    canaries.know(`the digits of share ${index + 1}`, share.slice(15).replaceAll('-', ''));
    canaries.know(`the value of share ${index + 1}`, Buffer.from(parseShare(share).value));
  }
  canaries.know('the key of the keyring', Buffer.from(combinePoints(shares.map(parseShare))));
}

/** The master keys of a split keyring. */
export async function openWithShares(path: string, shares: readonly string[]): Promise<MasterKeys> {
  const parsed = shares.map(parseShare);
  const keys = new Map([[nameOfSet(parsed[0]!.setId), combinePoints(parsed)]]);
  return await readKeyring(splitKeyringAt(path, keys));
}

/** Gives shares in every wrong way to a sealed server, and one in the right; resolves to its answers. */
export async function giveSharesWrongly(url: string, shares: readonly string[]): Promise<string[]> {
  const [first = '', second = ''] = shares;
  const given = parseShare(second);
  const foreign = formatShare({ ...given, setId: Buffer.alloc(8, 7) }).toString('ascii');
  const beyond = formatShare({ ...given, number: 200 }).toString('ascii');
  const path = `${url}/v2/sys/unseal`;
  const answers: string[] = [];
  for (const body of [
    first,
    { share: [first] },
    { share: first, [second]: first },
    { [first]: second },
    { share: `${first}${second}` },
    { share: first.slice(0, -1) },
    { share: first.slice(15) },
    { share: first },
    { share: first },
    { share: foreign },
    { share: beyond },
  ]) {
    const { headers, text } = await ask(path, asJson(body));
    answers.push(JSON.stringify([...headers]), text);
  }
  for (const init of [
    { method: 'POST', body: first },
    { method: 'POST', headers: { 'content-type': 'application/json' }, body: `{"share": "${second}"` },
    { method: 'POST', headers: { 'content-type': 'application/json', 'x-auth-token': second } },
    { method: 'PUT', body: second },
  ]) {
    const { headers, text } = await ask(path, init);
    answers.push(JSON.stringify([...headers]), text);
  }
  for (const misplaced of [`${path}/${second}`, `${path}?share=${second}`, `${url}/v1/secrets/${second}`]) {
    answers.push((await ask(misplaced)).text);
  }
  return answers;
}
