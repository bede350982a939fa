import type { FastifyRequest } from 'fastify';
import { readJson, readJsonOfAnyType } from './body.ts';
import type { StrictJsonOptions } from './strict-json.ts';

/**
 * The JSON body, read when it is first asked for and once: an operation that is tried again gets the same.
 */
export function onceJson(
  request: FastifyRequest,
  bytesMax: number,
  { anyType = false, ...options }: StrictJsonOptions & { anyType?: boolean } = {},
): () => Promise<unknown> {
  const read = anyType ? readJsonOfAnyType : readJson;
  let body: Promise<unknown> | undefined;
  return async () => await (body ??= read(request, bytesMax, options));
}
