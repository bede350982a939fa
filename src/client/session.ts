import { CofferError, type CofferErrorCode } from './coffer-error.ts';
import type { CredentialProvider } from './credentials.ts';
import { logIn, type Login } from './login.ts';
import { type Answer, type Call, send, type TransportOptions } from './transport.ts';

/** Options of every call. */
export interface CallOptions {
  /** Ends the call, its pauses included, with `CofferError` `aborted`. */
  signal?: AbortSignal | undefined;
  /** The most that one attempt of this call may take. */
  timeoutMs?: number | undefined;
}

/** A call to the key manager: its path starts with `/v1`. */
export interface Request extends Pick<Call, 'method' | 'body' | 'idempotent'>, CallOptions {
  path: string;
  headers?: Record<string, string>;
  /** Told when an earlier attempt may have been processed although it failed. */
  uncertain?: () => void;
}

/** Resolves as `work` does, but stops waiting for it when the signal fires; `work` itself goes on. */
async function whileNotAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(new CofferError('aborted', 'the call was aborted'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/**
 * The token and its renewal. Any number of calls share one login: it is made when first needed, renewed in
 * the background from 80 % of its life while the old token still serves, and made anew once after a 401.
 */
export class Session {
  readonly #provider: CredentialProvider;
  readonly #transport: TransportOptions;
  #login: Login | undefined;
  #flight: Promise<Login> | undefined;
  #rejected = false;

  constructor(provider: CredentialProvider, transport: TransportOptions) {
    this.#provider = provider;
    this.#transport = transport;
  }

  async #logIn(): Promise<Login> {
    const credentials = await this.#provider({ rejected: this.#rejected });
    if (credentials === undefined) {
      const how = 'set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME, or redeem a code';
      throw new CofferError(this.#rejected ? 'unauthorized' : 'configuration', `no credentials; ${how}`);
    }
    const login = await logIn(credentials, this.#transport);
    this.#rejected = false;
    this.#login = login;
    return login;
  }

  #fly(): Promise<Login> {
    this.#flight ??= this.#logIn().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  /** The token in force, after a login if one is due. */
  async login(signal?: AbortSignal): Promise<Login> {
    const login = this.#login;
    const now = Date.now();
    if (login === undefined || now >= login.expiresAt) return whileNotAborted(this.#fly(), signal);
    if (now >= login.refreshAt && this.#flight === undefined) {
      // not to hammer a failing server, the next try comes after a tenth of what is left
      login.refreshAt = now + Math.max(1000, (login.expiresAt - now) / 10);
      this.#fly().catch(() => undefined);
    }
    return login;
  }

  /** Forgets this token, so that the next call logs in. */
  #reject(token: string): void {
    if (this.#login?.token !== token) return;
    this.#login = undefined;
    this.#rejected = true;
  }

  /** Forgets the token in force, which was ended. */
  forget(): void {
    this.#login = undefined;
  }

  async #sendWith(login: Login, request: Request): Promise<Answer> {
    const { path, uncertain, headers, ...rest } = request;
    const call: Call = {
      ...rest,
      url: login.url + path,
      headers: { accept: 'application/json', ...headers, 'x-auth-token': login.token },
    };
    return send(call, this.#transport, uncertain);
  }

  /** Sends with the token in force; after a 401 logs in once more and repeats once. Throws `CofferError`. */
  async send(request: Request): Promise<Answer> {
    const login = await this.login(request.signal);
    try {
      return await this.#sendWith(login, request);
    } catch (error) {
      if (!(error instanceof CofferError) || error.status !== 401) throw error;
      this.#reject(login.token);
      const renewed = await this.login(request.signal);
      if (renewed.token === login.token) {
        this.#login = undefined;
        throw error;
      }
      return this.#sendWith(renewed, request);
    }
  }

  /**
   * Sends what may be repeated. Once an attempt whose answer was lost may have been processed, a refusal with
   * this code says that it was: then all is well.
   */
  async sendUntilDone(request: Request, doneCode: CofferErrorCode): Promise<void> {
    let uncertain = false;
    try {
      await this.send({ ...request, uncertain: () => (uncertain = true) });
    } catch (error) {
      if (!uncertain || !(error instanceof CofferError) || error.code !== doneCode) throw error;
    }
  }

  /** As `send`, for an answer that is a JSON object. */
  async sendForJson(request: Request): Promise<Record<string, unknown>> {
    const answer = await this.send(request);
    try {
      const body: unknown = JSON.parse(new TextDecoder().decode(answer.bytes));
      if (typeof body === 'object' && body !== null) return body as Record<string, unknown>;
    } catch {
      // falls through to the same error
    }
    const details = {
      status: answer.status,
      requestId: answer.headers.get('x-openstack-request-id') ?? undefined,
    };
    throw new CofferError('protocol', `${request.path} did not answer with JSON`, details);
  }
}
