import type { FastifyInstance } from 'fastify';
import type { FailureLog } from './failure-log.ts';

/** One line for every so many requests: by its route, never by its address, whose query may name things. */
export function logAccess(app: FastifyInstance, log: FailureLog, every: number): void {
  if (every <= 0) return;
  let count = 0;
  app.addHook('onResponse', (request, reply, done) => {
    count += 1;
    if (count >= every) {
      count = 0;
      const actor = request.actor as typeof request.actor | null;
      log.info(
        {
          requestId: request.id,
          method: request.method,
          route: request.routeOptions.url ?? null,
          status: reply.statusCode,
          milliseconds: Math.round(reply.elapsedTime),
          user: actor?.userId,
          project: actor?.projectId,
        },
        'request',
      );
    }
    done();
  });
}
