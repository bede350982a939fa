import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Coffer } from '../../coffer.ts';
import { CofferError } from '../../errors.ts';
import { readBody, requireContentType } from '../../http/body.ts';
import { described } from '../../http/documentation.ts';
import { authenticationRequired } from '../../http/errors.ts';
import type { Identity } from '../identity.ts';
import { formatToken } from '../keystone-wire.ts';
import type { LoginOrigin } from '../login-attempt.ts';
import { ACCESS_TOKEN, asOauthError, OauthError, parseTokenExchange } from './token-exchange.ts';
import { WrongTarget } from './workloads.ts';

const FEDERATED = '/identity/v3/OS-FEDERATION/identity_providers/:issuer/protocols/:protocol/auth';
const EXCHANGE = '/identity/oauth2/token';
const FORM = 'application/x-www-form-urlencoded';
const FORM_BYTES_MAX = 16_384;

/** A JWT of a workload's own issuer, turned into a token: as keystoneauth asks for it, and OAuth clients. */
export function registerFederationRoutes(app: FastifyInstance, coffer: Coffer, identity: Identity): void {
  app.post<{ Params: { issuer: string } }>(
    FEDERATED,
    { config: { public: true }, ...described(FEDERATED_DOCUMENTATION) },
    async (request, reply) => {
      const jwt = /^bearer +(\S+)$/i.exec(request.raw.headers.authorization ?? '')?.[1];
      if (jwt === undefined) throw new CofferError('unauthorized', authenticationRequired);
      const proof = { jwt, issuer: request.params.issuer };
      const { token, claims, rights } = await identity.exchange(proof, 'unscoped', originOf(request));
      reply.code(201).header('x-subject-token', token).header('vary', 'X-Auth-Token');
      return formatToken(claims, rights, [], undefined);
    },
  );

  app.post(
    EXCHANGE,
    { config: { public: true }, ...described(EXCHANGE_DOCUMENTATION) },
    async (request, reply) => {
      try {
        return await exchange(coffer, identity, request);
      } catch (error) {
        const failure = error instanceof WrongTarget ? asTargetError(error) : asOauthError(error);
        if (failure === undefined) throw error;
        return sendOauthError(reply, failure);
      }
    },
  );
}

function originOf(request: FastifyRequest): LoginOrigin {
  return { source: request.ip, requestId: request.id };
}

async function exchange(coffer: Coffer, identity: Identity, request: FastifyRequest): Promise<object> {
  requireContentType(request, [FORM]);
  const body = await readBody(request, FORM_BYTES_MAX);
  const { jwt, audience } = parseTokenExchange(body);
  body.fill(0);
  const target = audience === undefined || audience === coffer.publicUrl ? {} : { target: audience };
  const { token, claims } = await identity.exchange({ jwt, ...target }, 'project', originOf(request));
  return {
    access_token: token,
    issued_token_type: ACCESS_TOKEN,
    token_type: 'Bearer',
    expires_in: Math.max(0, claims.exp - Math.floor(coffer.clock.now().getTime() / 1000)),
  };
}

function asTargetError(error: WrongTarget): OauthError {
  return new OauthError('invalid_target', error.message);
}

function sendOauthError(reply: FastifyReply, { code, message }: OauthError): object {
  reply.code(code === 'temporarily_unavailable' ? 503 : 400);
  if (code === 'temporarily_unavailable') reply.header('retry-after', '10');
  return { error: code, error_description: message };
}

const FEDERATED_DOCUMENTATION = {
  summary: 'An unscoped token for the bearer of a JWT of this issuer, as OS-FEDERATION gives it',
  tags: ['identity'],
};

const EXCHANGE_DOCUMENTATION = {
  summary: 'A token for the bearer of a JWT of an issuer: token exchange by RFC 8693',
  tags: ['identity'],
  consumes: [FORM],
  body: {
    type: 'object',
    properties: {
      grant_type: { type: 'string' },
      subject_token: { type: 'string' },
      subject_token_type: { type: 'string' },
      audience: { type: 'string' },
    },
    required: ['grant_type', 'subject_token', 'subject_token_type'],
  },
};
