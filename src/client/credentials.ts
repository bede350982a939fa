/** Where to log in and where the secrets are; one of `url` and `authUrl` is needed. */
export interface Place {
  /** The base address of Coffer, such as `https://vault.example:9311`; login is at its `/identity/v3`. */
  url?: string | undefined;
  /**
   * The identity service, such as `https://vault.example:9311/identity/v3`; its catalog then names the key
   * manager.
   */
  authUrl?: string | undefined;
  /** The region of the catalog to use; the first one when left out. */
  region?: string | undefined;
  /** Allows plain http to a machine other than this one. */
  allowInsecure?: boolean | undefined;
}

/** A project by id, or by name and domain (`Default` unless said). */
export interface ProjectScope {
  projectId?: string | undefined;
  projectName?: string | undefined;
  projectDomainId?: string | undefined;
  projectDomainName?: string | undefined;
}

/** A user with a password, in a project. */
export interface PasswordCredentials extends Place, ProjectScope {
  type: 'password';
  userId?: string | undefined;
  userName?: string | undefined;
  userDomainId?: string | undefined;
  userDomainName?: string | undefined;
  password: string;
}

/**
 * A token that exists already. With a project it is exchanged for a token of that project, else used as it
 * is.
 */
export interface TokenCredentials extends Place, ProjectScope {
  type: 'token';
  token: string;
  /** When it ends, if known: providers are asked again at 80 % of what is left. */
  expiresAt?: Date | undefined;
}

/** An application credential, by id, or by name and its user. */
export interface ApplicationCredentials extends Place {
  type: 'application_credential';
  id?: string | undefined;
  name?: string | undefined;
  secret: string;
  userId?: string | undefined;
  userName?: string | undefined;
  userDomainId?: string | undefined;
  userDomainName?: string | undefined;
}

/** How to prove who calls. */
export type Credentials = PasswordCredentials | TokenCredentials | ApplicationCredentials;

/**
 * Gives credentials each time a login is due, or undefined to let the next provider of the chain answer.
 * `rejected` is true when the server refused the token of the last ones: a provider of stored tokens then has
 * nothing to give.
 */
export type CredentialProvider = (request: {
  rejected: boolean;
}) => Credentials | undefined | Promise<Credentials | undefined>;

/** What the environment may hold; `process.env` is one. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Credentials from the `OS_*` variables that OpenStack's clients read, and `COFFER_URL`,
 * `COFFER_ALLOW_INSECURE`. An application credential comes before a token, a token before a password;
 * `OS_AUTH_TYPE` decides when it is set. Undefined when the variables hold no credentials. `OS_CACERT` cannot
 * be honoured by `fetch`: Node takes the file from `NODE_EXTRA_CA_CERTS`.
 */
export function credentialsFromEnvironment(env: Environment): Credentials | undefined {
  const read = (name: string): string | undefined => env[name] || undefined;
  const url = read('COFFER_URL');
  const authUrl = read('OS_AUTH_URL');
  if (url === undefined && authUrl === undefined) return undefined;
  const place: Place = {
    url,
    authUrl,
    region: read('OS_REGION_NAME'),
    allowInsecure: env.COFFER_ALLOW_INSECURE === '1',
  };
  const user = {
    userId: read('OS_USER_ID'),
    userName: read('OS_USERNAME'),
    userDomainId: read('OS_USER_DOMAIN_ID'),
    userDomainName: read('OS_USER_DOMAIN_NAME'),
  };
  const project: ProjectScope = {
    projectId: read('OS_PROJECT_ID'),
    projectName: read('OS_PROJECT_NAME'),
    projectDomainId: read('OS_PROJECT_DOMAIN_ID'),
    projectDomainName: read('OS_PROJECT_DOMAIN_NAME'),
  };
  const id = read('OS_APPLICATION_CREDENTIAL_ID');
  const name = read('OS_APPLICATION_CREDENTIAL_NAME');
  const secret = read('OS_APPLICATION_CREDENTIAL_SECRET');
  const token = read('OS_TOKEN');
  const password = read('OS_PASSWORD');
  const wanted = (read('OS_AUTH_TYPE') ?? '').replace(/^v3/, '').replace('_', '');
  const may = (type: string): boolean => wanted === '' || wanted === type;

  if (may('applicationcredential') && secret !== undefined && (id ?? name) !== undefined) {
    return { type: 'application_credential', id, name, secret, ...user, ...place };
  }
  if (may('token') && token !== undefined) return { type: 'token', token, ...project, ...place };
  if (may('password') && password !== undefined && (user.userId ?? user.userName) !== undefined) {
    return { type: 'password', password, ...user, ...project, ...place };
  }
  return undefined;
}

/**
 * The provider of `process.env`, read anew at each login; the first one used when `Coffer` is given no
 * credentials.
 */
export function environmentProvider(env?: Environment): CredentialProvider {
  return () => credentialsFromEnvironment(env ?? globalThis.process?.env ?? {});
}

/** The first of the providers that has something to give. */
export function providerChain(...providers: readonly CredentialProvider[]): CredentialProvider {
  return async (request) => {
    for (const provider of providers) {
      const found = await provider(request);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
