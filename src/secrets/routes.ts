import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Coffer } from '../coffer.ts';
import { CofferError } from '../errors.ts';
import { readBody } from '../http/body.ts';
import { callerOf } from '../http/caller.ts';
import { described } from '../http/documentation.ts';
import { onceJson } from '../http/json-body.ts';
import { atLeast } from '../http/microversions.ts';
import { acceptsJson } from '../http/negotiation.ts';
import { envelope, readPage } from '../http/paging.ts';
import { refTo } from '../http/refs.ts';
import { parseForce } from './force.ts';
import { parseSecretFilter } from './list-filter.ts';
import { refuseTransportKey } from './payload.ts';
import { secretDocumentation } from './openapi.ts';
import { represent, wantedRepresentation, wrongContentType } from './representation.ts';
import * as service from './service.ts';
import { type WireSecret, formatSecret } from './wire.ts';

type Query = Record<string, string>;
type SecretRoute = { Params: { secretId: string }; Querystring: Query };
type SecretRequest = FastifyRequest<SecretRoute>;

export function registerSecretRoutes(app: FastifyInstance, coffer: Coffer): void {
  registerCollection(app, coffer);
  registerSecret(app, coffer);
}

function registerCollection(app: FastifyInstance, coffer: Coffer): void {
  const { publicUrl, limits } = coffer;

  app.post(
    '/v1/secrets',
    { config: { action: 'secrets:post' }, ...described(secretDocumentation.create) },
    async (request, reply) => {
      const id = await service.createSecret(
        coffer,
        callerOf(request),
        // A payload is bytes, of which text may hold any; no other field takes a NUL.
        onceJson(request, limits.bodyBytesMax, { allowsNul: true }),
      );
      const reference = refTo(publicUrl, 'secrets', id);
      return await reply.code(201).header('location', reference).send({ secret_ref: reference });
    },
  );

  app.get<{ Querystring: Query }>(
    '/v1/secrets',
    { config: { action: 'secrets:get' }, ...described(secretDocumentation.list) },
    async (request) => {
      const { query } = request;
      const page = readPage(query, limits);
      const readFilter = () => parseSecretFilter(query);
      const { secrets, total } = await service.listSecretsFor(
        coffer,
        callerOf(request),
        readFilter,
        page,
        showsConsumers(request),
      );
      const items = secrets.map((secret) => onWire(coffer, secret));
      return envelope('secrets', { items, total }, { publicUrl, path: '/v1/secrets', query, page });
    },
  );
}

function registerSecret(app: FastifyInstance, coffer: Coffer): void {
  app.get<SecretRoute>(
    '/v1/secrets/:secretId',
    {
      config: { action: 'secret:get', accept: 'any', asksToo: payloadAsked },
      ...described(secretDocumentation.get),
    },
    async (request, reply) => {
      if (asksPayload(request)) return await sendPayload(coffer, request, reply, 'Secret retrieval');
      const { secretId } = request.params;
      const secret = await service.getSecret(coffer, callerOf(request), secretId, showsConsumers(request));
      if (request.query.transport_key_needed?.toLowerCase() === 'true') {
        throw new CofferError(
          'bad_request',
          'Secret retrieval issue seen - Transport keys are not supported.',
        );
      }
      return onWire(coffer, secret);
    },
  );

  app.get<SecretRoute>(
    '/v1/secrets/:secretId/payload',
    { config: { action: 'secret:decrypt', accept: 'any' }, ...described(secretDocumentation.payload) },
    async (request, reply) => await sendPayload(coffer, request, reply, 'Secret payload retrieval'),
  );

  app.put<SecretRoute>(
    '/v1/secrets/:secretId',
    { config: { action: 'secret:put', accept: 'any' }, ...described(secretDocumentation.upload) },
    async (request, reply) => {
      await receivePayload(coffer, request);
      return await reply.code(204).send();
    },
  );

  app.delete<SecretRoute>(
    '/v1/secrets/:secretId',
    { config: { action: 'secret:delete', accept: 'any' }, ...described(secretDocumentation.remove) },
    async (request, reply) => {
      const { params, query, microversion } = request;
      // Before 1.2 consumers hold nothing back, and `force` is not looked at.
      const readForce = () => !atLeast(microversion, 1, 2) || parseForce(query.force);
      await service.deleteSecret(coffer, callerOf(request), params.secretId, readForce);
      return await reply.code(204).send();
    },
  );
}

/** Anything that does not admit JSON asks for the payload, as it did before there was /payload. */
function asksPayload({ headers: { accept } }: Pick<FastifyRequest, 'headers'>): boolean {
  return accept === '' || !acceptsJson(accept);
}

function payloadAsked(request: FastifyRequest): readonly string[] | undefined {
  const { secretId } = request.params as SecretRoute['Params'];
  return asksPayload(request) ? ['v1', 'secrets', secretId, 'payload'] : undefined;
}

function showsConsumers({ microversion }: Pick<FastifyRequest, 'microversion'>): boolean {
  return atLeast(microversion, 1, 1);
}

function onWire({ publicUrl }: Coffer, { secret, consumers }: service.SecretView): WireSecret {
  return formatSecret(secret, { publicUrl, consumers });
}

/** The body is read once, however often the operation is tried, and wiped when it is over. */
async function receivePayload(coffer: Coffer, request: SecretRequest): Promise<void> {
  const { 'content-type': contentType, 'content-encoding': contentEncoding } = request.headers;
  const transportKeyId = request.query.transport_key_id;
  let body: Buffer | undefined;
  try {
    await service.uploadPayload(coffer, callerOf(request), request.params.secretId, async () => {
      body ??= await readUploadBody(request, coffer.limits.bodyBytesMax);
      return { contentType, contentEncoding, transportKeyId, body };
    });
  } finally {
    if (body !== undefined) body.fill(0);
  }
}

async function readUploadBody(request: SecretRequest, bytesMax: number): Promise<Buffer> {
  try {
    return await readBody(request, bytesMax);
  } catch (error) {
    if (!(error instanceof CofferError && error.code === 'payload_too_large')) throw error;
    const text = 'Secret update issue seen - Provided information too large to process.';
    throw new CofferError('payload_too_large', text);
  }
}

async function sendPayload(
  coffer: Coffer,
  request: SecretRequest,
  reply: FastifyReply,
  operation: 'Secret retrieval' | 'Secret payload retrieval',
): Promise<FastifyReply> {
  const { secretId } = request.params;
  const stored = await service.readPayload(coffer, callerOf(request), secretId, operation);
  const body = Buffer.from(stored.payload.buffer, stored.payload.byteOffset, stored.payload.length);
  // The reply is the last of the plaintext's three places: it is wiped when it has left.
  reply.raw.once('close', () => body.fill(0));
  refuseWrapping(request.query, operation);
  const wanted = wantedRepresentation(request.headers.accept);
  if (wanted === undefined) throw wrongContentType(operation);
  const { contentType } = represent(wanted, stored, operation);
  if (body.length === 0) return await reply.code(204).send();
  return await reply.header('content-type', contentType).send(body);
}

/** Client-side wrapping needs a backend with transport keys, and none here has them. */
function refuseWrapping(query: Query, operation: string): void {
  // An empty one counts for none, as in Barbican.
  if (!query.trans_wrapped_session_key) return;
  refuseTransportKey(operation, query.transport_key_id);
  throw new CofferError(
    'bad_request',
    'Transport key wrapped session key has been provided to wrap secrets for retrieval, ' +
      'but the transport key id has not been provided.',
  );
}
