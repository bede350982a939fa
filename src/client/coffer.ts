import { type CredentialProvider, type Credentials, environmentProvider } from './credentials.ts';
import { Secrets } from './secrets.ts';
import { SecretValue } from './secret-value.ts';
import { type CallOptions, Session } from './session.ts';
import type { TransportOptions } from './transport.ts';

/** How to reach Coffer; everything has a default. */
export interface CofferOptions extends TransportOptions {
  /**
   * The base address of Coffer, such as `https://vault.example:9311`; comes before the one of the
   * credentials.
   */
  url?: string | undefined;
  /** Credentials, or what gives them at each login. The environment when left out: `OS_*`, `COFFER_URL`. */
  credentials?: Credentials | CredentialProvider | undefined;
  /** Allows plain http to a machine other than this one: tokens and secrets then travel in clear. */
  allowInsecure?: boolean | undefined;
}

/** A token in force and what it is for. */
export interface TokenInformation {
  token: SecretValue;
  /** The base address of the server that it is good for. */
  url: string;
  /** Null when unknown. */
  expiresAt: Date | null;
  userName: string | undefined;
  projectId: string | undefined;
  projectName: string | undefined;
}

function providerOf(options: CofferOptions): CredentialProvider {
  const given = options.credentials ?? environmentProvider();
  const { url, allowInsecure } = options;
  const override = {
    ...(url !== undefined && { url }),
    ...(allowInsecure !== undefined && { allowInsecure }),
  };
  return async (request) => {
    const found = typeof given === 'function' ? await given(request) : given;
    return found && { ...found, ...override };
  };
}

/**
 * A client of Coffer, or of any other service with the key-manager API. Making one does no input or output:
 * the first call logs in. Safe to share; calls in parallel share one login.
 *
 * ```ts const coffer = new Coffer(); const value = await coffer.secrets.payload('3b6c1a52-…'); ```
 */
export class Coffer {
  readonly #session: Session;
  /** The secrets of the project that the credentials are for. */
  readonly secrets: Secrets;

  constructor(options: CofferOptions = {}) {
    this.#session = new Session(providerOf(options), options);
    this.secrets = new Secrets(this.#session);
  }

  /** Logs in now if that is due, and gives the token. Throws `CofferError`. */
  async login(options: Pick<CallOptions, 'signal'> = {}): Promise<TokenInformation> {
    const login = await this.#session.login(options.signal);
    const { url, userName, projectId, projectName } = login;
    const token = new SecretValue('token', new TextEncoder().encode(login.token));
    const expiresAt = Number.isFinite(login.expiresAt) ? new Date(login.expiresAt) : null;
    return { token, url, expiresAt, userName, projectId, projectName };
  }
}
