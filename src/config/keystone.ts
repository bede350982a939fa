import { readFileSync, statSync } from 'node:fs';

/** An outside Keystone, as the server asks it. */
export interface KeystoneSettings {
  /** Without a slash or a version at its end. */
  url: string;
  user: { name: string; domain: string; project: string; projectDomain: string; passwordFile: string };
}

interface KeystoneValues {
  keystoneUrl?: string | undefined;
  keystoneUser?: string | undefined;
  keystoneUserDomain?: string | undefined;
  keystoneProject?: string | undefined;
  keystoneProjectDomain?: string | undefined;
  keystonePasswordFile?: string | undefined;
}

const PASSWORD_BYTES_MAX = 4_096;

/** The settings of an outside Keystone, which come together; undefined where there is none. */
export function readKeystone(values: KeystoneValues, problems: string[]): KeystoneSettings | undefined {
  const { keystoneUrl, keystoneUser: name, keystonePasswordFile: passwordFile } = values;
  if (keystoneUrl === undefined) {
    if (name !== undefined) problems.push('COFFER_KEYSTONE_USER: only with COFFER_KEYSTONE_URL');
    if (passwordFile !== undefined)
      problems.push('COFFER_KEYSTONE_PASSWORD_FILE: only with COFFER_KEYSTONE_URL');
    return undefined;
  }
  if (name === undefined) problems.push('COFFER_KEYSTONE_USER: is needed with COFFER_KEYSTONE_URL');
  if (passwordFile === undefined) {
    problems.push('COFFER_KEYSTONE_PASSWORD_FILE: is needed with COFFER_KEYSTONE_URL');
  } else checkPasswordFile(passwordFile, problems);
  const { keystoneUserDomain, keystoneProject, keystoneProjectDomain } = values;
  if (!name || !passwordFile || !keystoneUserDomain || !keystoneProject || !keystoneProjectDomain) {
    return undefined;
  }
  return {
    url: keystoneUrl.replace(/\/v3$/, ''),
    user: {
      name,
      domain: keystoneUserDomain,
      project: keystoneProject,
      projectDomain: keystoneProjectDomain,
      passwordFile,
    },
  };
}

function checkPasswordFile(path: string, problems: string[]): void {
  const name = 'COFFER_KEYSTONE_PASSWORD_FILE';
  try {
    const length = readFileSync(path).length;
    if (length === 0 || length > PASSWORD_BYTES_MAX) {
      problems.push(`${name}: ${path} is empty or longer than ${PASSWORD_BYTES_MAX} bytes`);
    }
    if ((statSync(path).mode & 0o007) !== 0) problems.push(`${name}: ${path} is open to everyone`);
  } catch (error) {
    problems.push(`${name}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
