import type { FastifyInstance } from 'fastify';
import { CofferError } from '../errors.ts';
import { createAttemptLimit } from '../http/attempt-limit.ts';
import { readJson } from '../http/body.ts';
import { described, refusals } from '../http/documentation.ts';
import type { Seal } from './unsealing.ts';

/** More than the shares of one keyring that a person has at hand; a share is not to be guessed anyway. */
const ATTEMPTS = { attemptsMax: 60, windowSeconds: 60, sourcesMax: 10_000 };
/** A share and what surrounds it. */
const BODY_BYTES_MAX = 1_024;

const STATUS = {
  type: 'object',
  properties: {
    sealed: { type: 'boolean' },
    threshold: { type: 'integer', description: 'How many shares are needed; only while it is sealed' },
    given: { type: 'integer', description: 'How many of them were given' },
  },
  required: ['sealed'],
};
const GET_DOCUMENTATION = {
  tags: ['custody'],
  summary: 'Whether the server waits for the shares of its keyring',
  response: { 200: { description: 'How far it is', ...STATUS } },
};
const POST_DOCUMENTATION = {
  tags: ['custody'],
  summary: 'Give one share of a split keyring',
  description:
    'For whoever holds a share: while a server is sealed there is no token. With the last share it serves.',
  body: {
    type: 'object',
    properties: { share: { type: 'string' } },
    required: ['share'],
    additionalProperties: false,
  },
  response: { 200: { description: 'How far it is now', ...STATUS }, ...refusals(400, 409, 413, 415, 429) },
};

/** Of a server that has its keys. */
const noSeal: Seal = {
  status: () => ({ sealed: false }),
  give: async () => {
    throw new CofferError('conflict', 'The server is not sealed: it needs no share.');
  },
};

/** `/v2/sys/unseal`: for whoever holds a share, while nobody can log in. */
export function registerUnsealRoutes(app: FastifyInstance, seal: Seal = noSeal): void {
  const limit = createAttemptLimit(ATTEMPTS);

  app.get('/v2/sys/unseal', { config: { public: true }, ...described(GET_DOCUMENTATION) }, async () => {
    return seal.status();
  });

  app.post(
    '/v2/sys/unseal',
    { config: { public: true }, ...described(POST_DOCUMENTATION) },
    async (request) => {
      limit.count(request.ip);
      const share = parseBody(await readJson(request, BODY_BYTES_MAX));
      return await seal.give(share, request.ip);
    },
  );
}

function parseBody(body: unknown): string {
  const { share, ...others } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  if (typeof share === 'string' && Object.keys(others).length === 0) return share;
  throw new CofferError('bad_request', 'The body is an object with the share alone.');
}
