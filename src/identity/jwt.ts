import fastifyJwt from '@fastify/jwt';
import Fastify, { type FastifyInstance } from 'fastify';

export type Jwt = Pick<FastifyInstance['jwt'], 'sign' | 'verify'>;

/**
 * The plugin on an instance of its own, which never listens: on the server's it would give every request a second way
 * to be authenticated. It has no key of its own; each call names one.
 */
export async function openJwt(): Promise<Jwt> {
  const host = Fastify({ logger: false });
  await host.register(fastifyJwt, {
    secret: () => {
      throw new Error('every call names its key');
    },
  });
  await host.ready();
  return host.jwt;
}
