import fastifyJwt from '@fastify/jwt';
import Fastify, { type FastifyInstance } from 'fastify';

export type Jwt = Pick<FastifyInstance['jwt'], 'sign' | 'verify'>;

/**
 * The plugin with one key, EdDSA and nothing else, on an instance of its own, which never listens: on the
 * server's it would give every request a second way to be authenticated. With the key given once, it is
 * parsed once. Times are checked by `createTokens`, each time.
 */
export async function openJwt(keyId: string, privatePem: string, publicPem: string): Promise<Jwt> {
  const host = Fastify({ logger: false });
  await host.register(fastifyJwt, {
    secret: { private: privatePem, public: publicPem },
    sign: { algorithm: 'EdDSA', kid: keyId },
    verify: { algorithms: ['EdDSA'], ignoreExpiration: true },
  });
  await host.ready();
  return host.jwt;
}
