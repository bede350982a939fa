import type { FastifyRequest } from 'fastify';
import type { Caller } from '../policy/actor.ts';

/** Who asks, for `operate` and its record. */
export function callerOf(request: FastifyRequest): Caller {
  return { actor: request.actor, requestId: request.id };
}
