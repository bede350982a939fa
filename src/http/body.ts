import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { CofferError } from '../errors.ts';
import { hasSameRights } from '../policy/actor.ts';
import { discardedBytesMax, slowBodyMilliseconds } from './limits.ts';
import { parseStrictJson, type StrictJsonOptions } from './strict-json.ts';
import { pathOf, type Surface, surfaceOf } from './surface.ts';

function surfaceOfRequest(request: FastifyRequest): Surface {
  return surfaceOf(pathOf(request.raw.url ?? '/'));
}

/** Compares the media type alone, by case, whatever its parameters; absent is refused too. */
export function requireContentType(request: FastifyRequest, expected: readonly string[]): void {
  const given = request.raw.headers['content-type']?.split(';', 1)[0]?.trim();
  if (given !== undefined && expected.includes(given)) return;
  if (surfaceOfRequest(request) === 'identity') {
    throw new CofferError(
      'bad_request',
      'Expecting to find application/json in Content-Type header. ' +
        'The server could not comply with the request since it is either malformed or otherwise incorrect. ' +
        'The client is assumed to be in error.',
    );
  }
  const list = expected.map((type) => `'${type}'`).join(', ');
  throw new CofferError(
    'unsupported_media_type',
    `Unexpected content type. Expected content types are: [${list}]`,
  );
}

/**
 * The body's bytes, never more than allowed. Call it once, after the actor's right is checked: until then
 * nothing of a body is read. Where it was slow the actor is asked for again, so that what was decided before
 * still holds. The caller owns the bytes.
 *
 * @throws CofferError `unauthorized` or `forbidden` when the actor's rights ended or changed meanwhile.
 */
export async function readBody(request: FastifyRequest, bytesMax: number): Promise<Buffer> {
  const { raw } = request;
  if (!hasBody(raw)) return Buffer.alloc(0);
  if (Number(raw.headers['content-length'] ?? 0) > bytesMax) throw tooLarge();
  const started = performance.now();
  const bytes = await receive(request, bytesMax);
  if (performance.now() - started < slowBodyMilliseconds) return bytes;
  try {
    await requireSameRights(request);
    return bytes;
  } catch (error) {
    bytes.fill(0);
    throw error;
  }
}

async function requireSameRights(request: FastifyRequest): Promise<void> {
  if (request.identify === null) return;
  const actor = await request.identify(request);
  if (hasSameRights(actor, request.actor)) return;
  throw new CofferError('forbidden', 'Your rights changed while the body was sent; try again.');
}

async function receive({ inFlight, raw }: FastifyRequest, bytesMax: number): Promise<Buffer> {
  if (inFlight === null) return await collect(raw, bytesMax);
  // a slow client is not work, and must not keep others out
  inFlight.count -= 1;
  try {
    return await collect(raw, bytesMax);
  } finally {
    inFlight.count += 1;
  }
}

/** Under `/v1` too large is malformed, because Barbican parses the part that it read; elsewhere it is 413. */
export async function readJson(
  request: FastifyRequest,
  bytesMax: number,
  options: StrictJsonOptions = {},
): Promise<unknown> {
  requireContentType(request, ['application/json']);
  return await readJsonOfAnyType(request, bytesMax, options);
}

/** `readJson` for the one operation that never asked for a Content-Type. */
export async function readJsonOfAnyType(
  request: FastifyRequest,
  bytesMax: number,
  options: StrictJsonOptions = {},
): Promise<unknown> {
  try {
    const bytes = await readBody(request, bytesMax);
    try {
      return parseStrictJson(bytes, options);
    } finally {
      bytes.fill(0);
    }
  } catch (error) {
    const cut = error instanceof CofferError && error.code === 'payload_too_large';
    if (cut && surfaceOfRequest(request) === 'v1') throw new CofferError('bad_request', 'Malformed JSON');
    throw error;
  }
}

function tooLarge(): CofferError {
  return new CofferError('payload_too_large', 'Provided information too large to process');
}

function hasBody(raw: IncomingMessage): boolean {
  return raw.headers['content-length'] !== undefined || raw.headers['transfer-encoding'] !== undefined;
}

function collect(source: Readable, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (act: () => void) => {
      source.off('data', take).off('end', end).off('error', cut).off('close', cut);
      act();
      for (const chunk of chunks) chunk.fill(0);
    };
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > bytesMax) settle(() => reject(tooLarge()));
    };
    const end = () => settle(() => resolve(Buffer.concat(chunks, length)));
    const cut = () => settle(() => reject(new CofferError('bad_request', 'The body ended early.')));
    if (source.destroyed) {
      cut();
      return;
    }
    source.on('data', take).on('end', end).on('error', cut).on('close', cut);
  });
}

/**
 * Lets the rest of a body that nobody wants run out, up to a bound: closing at once could take the answer
 * from a client that is still sending, and no bound would let it send for ever.
 */
export function discardRest(raw: IncomingMessage): void {
  if (raw.complete || raw.destroyed || !hasBody(raw)) return;
  let length = 0;
  raw.on('error', () => raw.destroy());
  raw.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > discardedBytesMax) raw.destroy();
  });
}
