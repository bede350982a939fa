import { fastifySwagger } from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

export interface ApiDescription {
  publicUrl: string;
  version: string;
}

/** Serves `/openapi.json`, which knows all routes registered after this, with what their schemas tell. */
export async function serveApiDescription(app: FastifyInstance, about: ApiDescription): Promise<void> {
  await app.register(fastifySwagger, {
    exposeHeadRoutes: true,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Coffer',
        description:
          'Secrets as a service: the key-manager API of OpenStack Barbican, and log-in as Keystone has it.',
        version: about.version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: about.publicUrl }],
      components: {
        securitySchemes: {
          token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' },
          bearer: { type: 'http', scheme: 'bearer' },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      const security = route.config?.public === true ? [] : [{ token: [] }, { bearer: [] }];
      return { schema: { ...schema, security }, url };
    },
  });
  let document: string | undefined;
  const documentation = { summary: 'This description', tags: ['discovery'] };
  app.get('/openapi.json', { config: { public: true }, schema: documentation }, async (_request, reply) => {
    document ??= JSON.stringify(app.swagger());
    return await reply.type('application/json').send(document);
  });
}
