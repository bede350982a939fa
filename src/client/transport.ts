import { errorOfAnswer } from './answer-error.ts';
import { CofferError } from './coffer-error.ts';

/** How long to wait and how often to try; each has a default. */
export interface TransportOptions {
  /** The most that one attempt may take, its answer's body included. Default 10,000. */
  timeoutMs?: number | undefined;
  /** The most that a call may take with all its attempts and pauses. Default 60,000. */
  deadlineMs?: number | undefined;
  /** Attempts after the first. Default 3. */
  retries?: number | undefined;
  /** The longest first pause, doubled for each further one; the pause is a random part of it. Default 200. */
  retryDelayMs?: number | undefined;
  /** The longest pause that is not the server's wish. Default 5,000. */
  retryDelayMaxMs?: number | undefined;
  /** Used in place of the global `fetch`: for a proxy, an own certificate authority, or a test. */
  fetch?: typeof globalThis.fetch | undefined;
}

/** One request, repeated as far as that is safe. */
export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body?: string | Uint8Array | undefined;
  /** Whether doing it twice is as good as doing it once. */
  idempotent: boolean;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/** An answer of status 200–299 with its whole body. */
export interface Answer {
  status: number;
  headers: Headers;
  bytes: Uint8Array;
}

/** Errors of a connection that never was, so that nothing was processed. */
const unconnected = /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;
const untrusted = /CERT|ISSUER|SIGNATURE|^ERR_TLS|^ERR_SSL|^EPROTO$/;

/** `AbortError` by another name, so that callers find one class of error. */
function aborted(): CofferError {
  return new CofferError('aborted', 'the call was aborted');
}

/** Waits; throws `CofferError` `aborted` as soon as the signal fires. Never keeps a listener. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(aborted());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** The code of the system or the library, found where `fetch` hides it. */
function codeOf(error: unknown): string {
  for (let at = error; typeof at === 'object' && at !== null; at = (at as { cause?: unknown }).cause) {
    const code = (at as { code?: unknown }).code;
    if (typeof code === 'string') return code;
  }
  return 'no connection';
}

function networkError(error: unknown, call: Call): CofferError {
  const code = codeOf(error);
  const host = new URL(call.url).host;
  if (untrusted.test(code)) {
    const hint = 'name its authority in NODE_EXTRA_CA_CERTS (the command: OS_CACERT)';
    return new CofferError(
      'untrusted',
      `${host} showed a certificate that is not trusted (${code}); ${hint}`,
    );
  }
  const retryable = call.idempotent || unconnected.test(code);
  return new CofferError('network', `cannot reach ${host} (${code})`, { retryable });
}

function redirected(response: Response, call: Call): CofferError {
  const location = response.headers.get('location');
  const target =
    location !== null && URL.canParse(location, call.url) ? new URL(location, call.url).origin : '';
  return new CofferError(
    'redirected',
    `${new URL(call.url).origin} redirects${target === '' ? '' : ` to ${target}`}; redirects are not followed, so that a token goes nowhere else: use the final address`,
    { status: response.status === 0 ? undefined : response.status },
  );
}

async function attempt(call: Call, options: TransportOptions, timeoutMs: number): Promise<Answer> {
  const controller = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, timeoutMs);
  const stop = (): void => controller.abort();
  call.signal?.addEventListener('abort', stop, { once: true });
  try {
    if (call.signal?.aborted) throw aborted();
    const response = await (options.fetch ?? globalThis.fetch)(call.url, {
      method: call.method,
      headers: call.headers,
      // a Uint8Array over a SharedArrayBuffer is no body, and none comes here
      body: (call.body as string | Uint8Array<ArrayBuffer> | undefined) ?? null,
      redirect: 'manual',
      signal: controller.signal,
    });
    if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
      void response.body?.cancel().catch(() => undefined);
      throw redirected(response, call);
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (!response.ok) throw errorOfAnswer(response.status, response.headers, bytes, call.idempotent);
    return { status: response.status, headers: response.headers, bytes };
  } catch (error) {
    if (error instanceof CofferError) throw error;
    if (call.signal?.aborted) throw aborted();
    if (late) {
      const message = `${new URL(call.url).host} did not answer within ${timeoutMs} ms`;
      throw new CofferError('timeout', message, { retryable: call.idempotent });
    }
    throw networkError(error, call);
  } finally {
    clearTimeout(timer);
    call.signal?.removeEventListener('abort', stop);
  }
}

/** Full jitter: a random part of a bound that doubles, and never less than the server asked for. */
function delayMs(error: CofferError, tried: number, options: TransportOptions): number {
  const bound = Math.min(options.retryDelayMaxMs ?? 5_000, (options.retryDelayMs ?? 200) * 2 ** (tried - 1));
  return (error.retryAfterSeconds ?? 0) * 1000 + Math.random() * bound;
}

/**
 * Sends the call and, while its failures allow a harmless repeat, sends it again after a pause, within its
 * deadline. A redirect is an error. Throws `CofferError` alone. `uncertain` is told when an attempt failed
 * that may have been processed, so that the caller can read the next answer in that light.
 */
export async function send(call: Call, options: TransportOptions, uncertain?: () => void): Promise<Answer> {
  const deadline = performance.now() + (options.deadlineMs ?? 60_000);
  const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? 10_000;
  for (let tried = 1; ; tried += 1) {
    try {
      const left = Math.max(1, deadline - performance.now());
      return await attempt(call, options, Math.ceil(Math.min(timeoutMs, left)));
    } catch (error) {
      if (!(error instanceof CofferError) || !error.retryable || tried > (options.retries ?? 3)) throw error;
      const wait = delayMs(error, tried, options);
      if (performance.now() + wait >= deadline) throw error;
      if (error.status !== 429 && error.status !== 503) uncertain?.();
      await pause(wait, call.signal);
    }
  }
}
