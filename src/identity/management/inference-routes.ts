import type { FastifyRequest } from 'fastify';
import { CofferError } from '../../errors.ts';
import { described } from '../../http/documentation.ts';
import type { IdentityAction } from '../../policy/rules-identity.ts';
import { type Desk, manageFor } from './asking.ts';
import { describe } from './openapi.ts';
import { comparePair, getImplied, listInferences } from './roles.ts';
import { formatInference, formatPrior } from './wire.ts';

type PriorRoute = { Params: { roleId: string } };
type ImpliedRoute = { Params: { roleId: string; impliedId: string } };
type ImpliedRequest = FastifyRequest<ImpliedRoute>;
type Pair = Awaited<ReturnType<typeof comparePair>>;
const PRIOR = '/identity/v3/roles/:roleId/implies';
const IMPLIED = `${PRIOR}/:impliedId`;

/** Which role implies which: built in, and read-only. */
export function registerInferenceRoutes(desk: Desk): void {
  const { app, base } = desk;

  app.get(
    '/identity/v3/role_inferences',
    {
      config: { action: 'identity:list_role_inference_rules' },
      ...described(describe('Which role implies which', { done: { 200: 'All that is implied' } })),
    },
    async (request) => {
      const action = 'identity:list_role_inference_rules';
      const inferences = await listInferences(manageFor(desk, request), action);
      return { role_inferences: inferences.map((inference) => formatInference(base, inference)) };
    },
  );

  app.get<PriorRoute>(
    PRIOR,
    {
      config: { action: 'identity:list_implied_roles' },
      ...described(
        describe('What a role implies', {
          params: ['roleId'],
          done: { 200: 'The role with those that it implies' },
          refused: [404],
        }),
      ),
    },
    async (request) => {
      const { roleId } = request.params;
      const inference = await getImplied(manageFor(desk, request), roleId);
      const links = { self: `${base}/roles/${roleId}/implies` };
      return { role_inference: formatInference(base, inference), links };
    },
  );

  registerOne(desk);
  registerChanges(desk);
}

function registerOne(desk: Desk): void {
  const { app, base } = desk;
  const documentation = { params: ['roleId', 'impliedId'], refused: [404] };
  const readPair = async (request: ImpliedRequest): Promise<Pair> => {
    const pair = await compare(desk, request, 'identity:check_implied_role');
    if (pair.isImplied) return pair;
    throw doesNotImply(request);
  };

  // Before GET, which would bring one that answers 200.
  app.head<ImpliedRoute>(
    IMPLIED,
    {
      config: { action: 'identity:check_implied_role' },
      ...described(
        describe('Whether a role implies another', { ...documentation, done: { 204: 'It does' } }),
      ),
    },
    async (request, reply) => {
      await readPair(request);
      return await reply.code(204).send();
    },
  );

  app.get<ImpliedRoute>(
    IMPLIED,
    {
      config: { action: 'identity:check_implied_role' },
      ...described(
        describe('Whether a role implies another', { ...documentation, done: { 200: 'It does' } }),
      ),
    },
    async (request) => {
      return formatPair(base, await readPair(request));
    },
  );
}

/** What is there may be made again, as in Keystone; everything else would change what roles mean here. */
function registerChanges(desk: Desk): void {
  const { app, base } = desk;
  const documentation = { params: ['roleId', 'impliedId'], refused: [404] };

  app.put<ImpliedRoute>(
    IMPLIED,
    {
      config: { action: 'identity:create_implied_role' },
      ...described(
        describe('Let a role imply another: refused but for what is built in', {
          ...documentation,
          done: { 201: 'It does so already' },
        }),
      ),
    },
    async (request, reply) => {
      const pair = await compare(desk, request, 'identity:create_implied_role');
      if (!pair.isImplied) throw readOnly();
      return await reply.code(201).send(formatPair(base, pair));
    },
  );

  app.delete<ImpliedRoute>(
    IMPLIED,
    {
      config: { action: 'identity:delete_implied_role' },
      ...described(describe('End that a role implies another: refused', { ...documentation, done: {} })),
    },
    async (request) => {
      const { isImplied } = await compare(desk, request, 'identity:delete_implied_role');
      throw isImplied ? readOnly() : doesNotImply(request);
    },
  );
}

async function compare(desk: Desk, request: ImpliedRequest, action: IdentityAction): Promise<Pair> {
  const { roleId, impliedId } = request.params;
  return await comparePair(manageFor(desk, request), action, { priorId: roleId, impliedId });
}

function formatPair(base: string, { prior, other }: Pair): object {
  return { role_inference: { prior_role: formatPrior(base, prior), implies: formatPrior(base, other) } };
}

function doesNotImply({ params }: ImpliedRequest): CofferError {
  return new CofferError('not_found', `${params.roleId} does not imply ${params.impliedId}.`);
}

function readOnly(): CofferError {
  return new CofferError(
    'forbidden',
    'What roles imply is built in: admin implies manager, manager member, member reader. It cannot be changed.',
  );
}
