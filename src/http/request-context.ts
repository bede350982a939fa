import type { Action } from '../policy/actions.ts';
import type { Actor } from '../policy/actor.ts';
import type { IdentityAction } from '../policy/rules-identity.ts';
import type { Microversion } from './microversions.ts';
import type { InFlight } from './overload.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the actor must be allowed to do; `operate` decides, and identity's own services. */
    action?: Action | IdentityAction;
    /** Any valid token will do. */
    actor?: true;
    /** No token is asked for. */
    public?: true;
    /** What answers whatever `Accept` says: no body, or a body whose type the handler negotiates itself. */
    accept?: 'json' | 'any';
    /** The segments of another path that the request asks for: access rules must allow that one too. */
    asksToo?: (request: FastifyRequest) => readonly string[] | undefined;
    /** Answers under overload and while draining too. */
    probe?: true;
  }

  interface FastifyRequest {
    /** Null on public routes, whatever the type says. */
    actor: Actor;
    /** Who asks, by what is known now; null on public routes. */
    identify: ((request: FastifyRequest) => Promise<Actor>) | null;
    /** Null but on `/` and under `/v1`. */
    microversion: Microversion;
    /** Where this request is counted while it is worked on. */
    inFlight: InFlight | null;
  }
}
