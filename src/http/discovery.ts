import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  atLeast,
  formatMicroversion,
  type Microversion,
  maxMicroversion,
  minMicroversion,
} from './microversions.ts';
import { requireJsonAccepted } from './negotiation.ts';

export interface DiscoveryOptions {
  publicUrl: string;
  /** Of the package. */
  version: string;
}

/**
 * The versions of the key manager, to whoever asks at `/`, and the one there is, to who has a token, at
 * `/v1`.
 */
export function registerDiscovery(app: FastifyInstance, options: DiscoveryOptions): void {
  app.get('/', { config: { public: true, accept: 'any' } }, async (request, reply) => {
    const accept = request.raw.headers.accept;
    if (Object.hasOwn(request.query as object, 'build')) {
      requireJsonAccepted(accept);
      return { build: options.version };
    }
    if (accept?.trim().toLowerCase() === 'application/json-home') {
      return reply.redirect(`${options.publicUrl}/v1/`, 302);
    }
    requireJsonAccepted(accept);
    return reply.code(300).send(versionsDocument(request, options.publicUrl));
  });

  app.get('/v1', { config: { actor: true } }, async (request) => ({
    version: describeVersion(request.microversion, options.publicUrl),
  }));
}

function versionsDocument(request: FastifyRequest, publicUrl: string): object {
  const versions = [describeVersion(request.microversion, publicUrl)];
  return atLeast(request.microversion, 1, 1) ? { versions } : { versions: { values: versions } };
}

function describeVersion(asked: Microversion, publicUrl: string): object {
  const links = [
    { rel: 'self', href: `${publicUrl}/v1/` },
    { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' },
  ];
  if (atLeast(asked, 1, 1)) {
    const range = {
      min_version: formatMicroversion(minMicroversion),
      max_version: formatMicroversion(maxMicroversion),
    };
    return { id: 'v1', status: 'CURRENT', ...range, links };
  }
  const media = { base: 'application/json', type: 'application/vnd.openstack.key-manager-v1+json' };
  return { id: 'v1', status: 'stable', links, 'media-types': [media] };
}
