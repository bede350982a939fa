import { Acls } from './acls.ts';
import { Consumers } from './consumers.ts';
import { Containers } from './containers.ts';
import { credentialFileProvider } from './credential-file.ts';
import {
  type CredentialProvider,
  type Credentials,
  environmentProvider,
  providerChain,
} from './credentials.ts';
import { Orders } from './orders.ts';
import { Quotas } from './quotas.ts';
import { SecretStores } from './secret-stores.ts';
import { Secrets } from './secrets.ts';
import { SecretValue } from './secret-value.ts';
import { type CallOptions, Session } from './session.ts';
import type { TransportOptions } from './transport.ts';

const TOKENS = '/identity/v3/auth/tokens';

/** How to reach Coffer; everything has a default. */
export interface CofferOptions extends TransportOptions {
  /**
   * The base address of Coffer, such as `https://vault.example:9311`; comes before the one of the
   * credentials.
   */
  url?: string | undefined;
  /**
   * Credentials, or what gives them at each login. When left out the environment (`OS_*`, `COFFER_URL`), then
   * the credential file.
   */
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

/** Whose a token is and what it allows, as the server says it. */
export interface TokenDescription {
  userId: string;
  userName: string;
  /** `project`, `domain`, `system` or `unscoped`. */
  scope: string;
  projectId: string | null;
  projectName: string | null;
  roles: readonly string[];
  /** How it was given: `password`, `token`, `application_credential` … */
  methods: readonly string[];
  issuedAt: Date;
  expiresAt: Date;
  /** Under which the log knows it. */
  auditId: string;
}

function providerOf(options: CofferOptions): CredentialProvider {
  const given = options.credentials ?? providerChain(environmentProvider(), credentialFileProvider());
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
  /** Secrets that belong together. */
  readonly containers: Containers;
  /** Keys and pairs that the server makes. */
  readonly orders: Orders;
  /** How many things a project may have. */
  readonly quotas: Quotas;
  /** Where keys are kept, on a server that has several places for them. */
  readonly secretStores: SecretStores;
  /** Who may read secrets and containers. */
  readonly acls: Acls;
  /** Who uses secrets and containers. */
  readonly consumers: Consumers;

  constructor(options: CofferOptions = {}) {
    this.#session = new Session(providerOf(options), options);
    this.secrets = new Secrets(this.#session);
    this.containers = new Containers(this.#session);
    this.orders = new Orders(this.#session);
    this.quotas = new Quotas(this.#session);
    this.secretStores = new SecretStores(this.#session);
    this.acls = new Acls(this.#session);
    this.consumers = new Consumers(this.#session);
  }

  /** Logs in now if that is due, and gives the token. Throws `CofferError`. */
  async login(options: Pick<CallOptions, 'signal'> = {}): Promise<TokenInformation> {
    const login = await this.#session.login(options.signal);
    const { url, userName, projectId, projectName } = login;
    const token = new SecretValue('token', new TextEncoder().encode(login.token));
    const expiresAt = Number.isFinite(login.expiresAt) ? new Date(login.expiresAt) : null;
    return { token, url, expiresAt, userName, projectId, projectName };
  }

  /** Asks the server what the token in force is. Throws `CofferError`. */
  async describeToken(options: CallOptions = {}): Promise<TokenDescription> {
    const { token } = await this.#session.login(options.signal);
    const headers = { 'x-subject-token': token };
    const request = { method: 'GET', path: `${TOKENS}?nocatalog`, headers, idempotent: true } as const;
    const answer = await this.#session.sendForJson({ ...request, ...options });
    const found = answer['token'] as Described;
    const kinds = ['project', 'domain', 'system'] as const;
    return {
      userId: found.user.id,
      userName: found.user.name,
      scope: kinds.find((kind) => found[kind] !== undefined) ?? 'unscoped',
      projectId: found.project?.id ?? null,
      projectName: found.project?.name ?? null,
      roles: (found.roles ?? []).map(({ name }) => name),
      methods: found.methods,
      issuedAt: new Date(found.issued_at),
      expiresAt: new Date(found.expires_at),
      auditId: found.audit_ids[0] ?? '',
    };
  }

  /** Ends the token in force, on every server. The next call logs in again. Throws `CofferError`. */
  async logout(options: CallOptions = {}): Promise<void> {
    const { token } = await this.#session.login(options.signal);
    const headers = { 'x-subject-token': token };
    const request = { method: 'DELETE', path: TOKENS, headers, idempotent: true } as const;
    await this.#session.send({ ...request, ...options });
    this.#session.forget();
  }
}

interface Described {
  user: { id: string; name: string };
  project?: { id: string; name: string };
  domain?: object;
  system?: object;
  roles?: { name: string }[];
  methods: string[];
  issued_at: string;
  expires_at: string;
  audit_ids: string[];
}
