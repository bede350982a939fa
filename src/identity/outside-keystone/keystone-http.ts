import { CofferError } from '../../errors.ts';
import { parseStrictJson } from '../../http/strict-json.ts';

export interface KeystoneAnswer {
  status: number;
  /** `X-Subject-Token`, where it is sent. */
  subjectToken: string | null;
  /** The JSON of the body; undefined where it is none. */
  body: unknown;
}

interface KeystoneRequest {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** @throws CofferError `unavailable` when Keystone gives no whole answer in time. */
export type AskKeystone = (request: KeystoneRequest) => Promise<KeystoneAnswer>;

const TIMEOUT_MS = 5_000;
const BYTES_MAX = 1_048_576;
const RETRY_AFTER_SECONDS = 5;

/** What a client is told while Keystone cannot say who it is. */
export function keystoneUnavailable(cause?: unknown): CofferError {
  return new CofferError('unavailable', 'The identity service cannot be asked; try again.', {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Requests to one Keystone, without redirects: they would take our token and those of clients elsewhere. */
export function createAskKeystone(url: string, timeoutMs = TIMEOUT_MS): AskKeystone {
  return async ({ method, path, headers, body }) => {
    try {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { accept: 'application/json', ...headers },
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body }),
      });
      const bytes = await readBounded(response);
      return {
        status: response.status,
        subjectToken: response.headers.get('x-subject-token'),
        body: parseJson(bytes),
      };
    } catch (error) {
      throw keystoneUnavailable(error);
    }
  };
}

async function readBounded(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > BYTES_MAX) throw new Error('the answer of Keystone is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(bytes);
  } catch {
    return undefined;
  }
}
