import type { FastifyInstance } from 'fastify';
import type { Coffer } from '../../coffer.ts';
import { CofferError } from '../../errors.ts';
import { createAttemptLimit } from '../../http/attempt-limit.ts';
import { described, refusals } from '../../http/documentation.ts';
import { readJson } from '../../http/body.ts';
import { formatTimestamp } from '../../http/timestamps.ts';
import { countedSource } from '../login-attempt.ts';
import { redeem } from './redemptions.ts';

const ATTEMPTS = { attemptsMax: 10, windowSeconds: 60, sourcesMax: 10_000 };
/** A code and what surrounds it. */
const BODY_BYTES_MAX = 1_024;

const text = { type: 'string' };
const DOCUMENTATION = {
  tags: ['applications'],
  summary: "Exchange a one-time code for an application credential's secret",
  description: 'Of two who redeem a code, the second is refused and the credential is revoked.',
  body: { type: 'object', properties: { code: text }, required: ['code'], additionalProperties: false },
  response: {
    201: {
      description: 'The secret, which is shown this once',
      type: 'object',
      properties: {
        auth_url: text,
        id: text,
        name: text,
        secret: text,
        user_id: text,
        project_id: text,
        expires_at: { type: ['string', 'null'] },
      },
    },
    ...refusals(400, 404, 409, 413, 415, 429),
  },
};

/** `POST /v2/redemptions`: for whoever holds a code, before anybody is logged in. */
export function registerRedemptionRoutes(app: FastifyInstance, coffer: Coffer): void {
  const limit = createAttemptLimit(ATTEMPTS);

  app.post(
    '/v2/redemptions',
    { config: { public: true }, ...described(DOCUMENTATION) },
    async (request, reply) => {
      limit.count(countedSource(request.ip));
      const code = parseCode(await readJson(request, BODY_BYTES_MAX));
      const { row, secret } = await redeem(coffer, code, { source: request.ip, requestId: request.id });
      return await reply.code(201).send({
        auth_url: `${coffer.publicUrl}/identity/v3`,
        id: row.id,
        name: row.name,
        secret,
        user_id: row.user_id,
        project_id: row.project_id,
        expires_at: row.expires && formatTimestamp(row.expires),
      });
    },
  );
}

function parseCode(body: unknown): string {
  const { code, ...others } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  if (typeof code !== 'string' || Object.keys(others).length > 0) {
    throw new CofferError('bad_request', 'The body is an object with the code alone.');
  }
  return code;
}
