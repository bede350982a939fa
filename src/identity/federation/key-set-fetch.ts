import { lookup as resolveName, type LookupAddress } from 'node:dns';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from './addresses.ts';

/** Why there is no key set. The message is for operators: it names no address but the configured one. */
export class KeySetProblem extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'KeySetProblem';
  }
}

export interface FetchRules {
  /** Addresses that are not of the public Internet may be connected to. */
  allowPrivate: boolean;
  allowHttp: boolean;
  timeoutMs?: number;
  bytesMax?: number;
  /** As `lookup` of node:dns; a test hands in another. */
  resolve?: typeof resolveName;
}

const TIMEOUT_MS = 5_000;
const BYTES_MAX = 262_144;
const MEDIA_TYPES = ['application/json', 'application/jwk-set+json'];

/**
 * The bytes at exactly this address: no redirect, no proxy, no cookie, one connection. The address that a
 * name resolves to is judged in the look-up that the connection uses, so that no second answer of the DNS
 * can be another one.
 *
 * @throws KeySetProblem
 */
export async function fetchKeySet(address: string, rules: FetchRules): Promise<Buffer> {
  const url = requireAllowed(address, rules);
  const { timeoutMs = TIMEOUT_MS, bytesMax = BYTES_MAX } = rules;
  const signal = AbortSignal.timeout(timeoutMs);
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return await new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      outgoing.destroy();
      reject(explain(error, signal, timeoutMs));
    };
    const outgoing = request(url, {
      agent: false,
      signal,
      lookup: guardedLookup(rules),
      headers: { accept: MEDIA_TYPES.join(', '), 'accept-encoding': 'identity', connection: 'close' },
    });
    outgoing.on('error', fail);
    outgoing.on('response', (response) => {
      readAnswer(response, bytesMax).then(resolve, fail);
    });
    outgoing.end();
  });
}

/** @throws KeySetProblem for an address that may not be asked, whatever its name resolves to. */
export function requireAllowed(address: string, { allowHttp, allowPrivate }: FetchRules): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new KeySetProblem('the address of the key set is no plain http or https URL');
  }
  if (url.protocol === 'http:' && !allowHttp) {
    throw new KeySetProblem('the address of the key set is http, which this issuer does not allow');
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !allowPrivate && !isPublicAddress(host)) throw privateAddress();
  return url;
}

/** The look-up of a connection: what it gives is what is connected to. */
function guardedLookup({ allowPrivate, resolve = resolveName }: FetchRules): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
      const [first] = error === null ? found : [];
      if (first === undefined) {
        callback(error ?? new KeySetProblem('the name of the key set has no address'), '', 0);
        return;
      }
      if (!allowPrivate && !found.every(({ address }) => isPublicAddress(address))) {
        callback(privateAddress(), '', 0);
        return;
      }
      if (options.all === true) callback(null, found);
      else callback(null, first.address, first.family);
    });
  };
}

async function readAnswer(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const { statusCode = 0, headers } = response;
  if (statusCode >= 300 && statusCode < 400) throw new KeySetProblem('it redirects, which is not followed');
  if (statusCode !== 200) throw new KeySetProblem(`it answers ${statusCode}`);
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!MEDIA_TYPES.includes(type)) throw new KeySetProblem('it answers something else than JSON');
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new KeySetProblem('it answers in an encoding that was not asked for');
  }
  const tooLong = new KeySetProblem(`it answers more than ${bytesMax} bytes`);
  if (Number(headers['content-length'] ?? 0) > bytesMax) throw tooLong;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) throw tooLong;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function privateAddress(): KeySetProblem {
  return new KeySetProblem('it is at a private address, which this issuer does not allow');
}

/** Of what Node says only the code: its texts name addresses. */
function explain(error: unknown, signal: AbortSignal, timeoutMs: number): KeySetProblem {
  if (error instanceof KeySetProblem) return error;
  if (signal.aborted) return new KeySetProblem(`it did not answer within ${timeoutMs / 1000} s`);
  const { code } = error as NodeJS.ErrnoException;
  return new KeySetProblem(`it cannot be reached (${code ?? 'the connection ended early'})`);
}
