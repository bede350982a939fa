import type { FastifyRequest } from 'fastify';
import { readJson } from './body.ts';

/**
 * The JSON body, read when it is first asked for and once: an operation that is tried again gets the same.
 */
export function onceJson(request: FastifyRequest, bytesMax: number): () => Promise<unknown> {
  let body: Promise<unknown> | undefined;
  return async () => await (body ??= readJson(request, bytesMax));
}
