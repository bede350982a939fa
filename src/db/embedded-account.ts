import { readFileSync, realpathSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { CofferError } from '../errors.ts';

export interface Account {
  uid: number;
  gid: number;
  name: string;
}

// PostgreSQL refuses to run as root: who starts it as root lends it one of these, which own nothing that
// matters.
const LENT_NAMES = ['coffer', 'postgres', 'nobody', 'daemon'];

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The account that PostgreSQL runs as: our own, or when we are root the owner of its files, or else an
 * unprivileged one.
 */
export function chooseAccount(ownerUid: number | undefined): Account {
  if (!isRoot()) return describeOwnAccount();
  const accounts = readAccounts();
  const owner =
    ownerUid === undefined || ownerUid === 0 ? undefined : accounts.find(({ uid }) => uid === ownerUid);
  if (owner !== undefined) return owner;
  for (const name of LENT_NAMES) {
    const account = accounts.find((candidate) => candidate.name === name && candidate.uid !== 0);
    if (account !== undefined) return account;
  }
  throw new CofferError(
    'configuration',
    `PostgreSQL refuses to run as root, and none of the users ${LENT_NAMES.join(', ')} exists. Start Coffer as an ordinary user, or set COFFER_DATABASE_URL.`,
  );
}

function describeOwnAccount(): Account {
  try {
    const { uid, gid, username } = userInfo();
    return { uid, gid, name: username };
  } catch {
    throw new CofferError(
      'configuration',
      `PostgreSQL needs a user with a name, and user ${process.geteuid?.()} has none in /etc/passwd. Add one, or set COFFER_DATABASE_URL.`,
    );
  }
}

/** Those who may connect: whoever started us, and root. */
export function namesOfOwners(): string[] {
  const root = readAccounts().find(({ uid }) => uid === 0)?.name ?? 'root';
  return isRoot() ? [root] : [root, describeOwnAccount().name];
}

/** What `spawn` needs to run a program as this account. */
export function identityFor(account: Account): { uid?: number; gid?: number } {
  return isRoot() ? { uid: account.uid, gid: account.gid } : {};
}

/** The first folder on the way to this path that the account may not enter. */
export function findClosedFolder(path: string, account: Account): string | undefined {
  if (!isRoot()) return undefined;
  const folders: string[] = [];
  for (let folder = realpathSync(path); ; folder = dirname(folder)) {
    folders.unshift(folder);
    if (folder === dirname(folder)) break;
  }
  return folders.find((folder) => !isPermitted(folder, account, 0o1));
}

/** `bits` as in a mode's last digit: 4 to read, 1 to run or enter. */
export function isPermitted(path: string, account: Account, bits: number): boolean {
  const { mode, uid, gid } = statSync(path);
  const granted = uid === account.uid ? mode >> 6 : gid === account.gid ? mode >> 3 : mode;
  return (granted & bits) === bits;
}

function readAccounts(): Account[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4 && /^\d+$/.test(fields[2] ?? '') && /^\d+$/.test(fields[3] ?? ''))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}
