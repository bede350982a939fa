import { isUtf8 } from 'node:buffer';
import { CofferError } from '../errors.ts';
import { stripText } from '../http/python-text.ts';
import { storedTypeOf } from './payload.ts';

export interface StoredPayload {
  contentType: string;
  payload: Uint8Array;
}

export interface Representation {
  contentType: string;
  payload: Uint8Array;
}

/** `as: 'stored'` is the type that the payload was stored with; `text` is refused for bytes that are not UTF-8. */
type Wanted = { as: 'stored' } | { as: 'bytes' | 'text'; contentType: string };

const TEXT = 'text/plain; charset=UTF-8';
const BYTES = 'application/octet-stream';

/**
 * The payload as an `Accept` header wants it: under one type that payloads can have, never converted. A list or a q-value
 * is refused: a payload has a single form, so there is nothing to choose from. `operation` is how the refusal begins.
 */
export function chooseRepresentation(
  accept: string | undefined,
  { contentType, payload }: StoredPayload,
  operation: 'Secret payload retrieval' | 'Secret retrieval' = 'Secret payload retrieval',
): Representation {
  const wanted = readAccept(accept);
  if (wanted === undefined || (wanted.as === 'text' && !isUtf8(payload))) {
    throw new CofferError('not_acceptable', `${operation} issue seen - Wrong payload content-type.`);
  }
  if (wanted.as !== 'stored') return { contentType: wanted.contentType, payload };
  if (contentType !== 'text/plain') return { contentType, payload };
  return { contentType: isUtf8(payload) ? TEXT : BYTES, payload };
}

function readAccept(accept: string | undefined): Wanted | undefined {
  const asked = stripText(accept ?? '');
  if (asked === '') return { as: 'bytes', contentType: BYTES };
  if (asked === '*/*') return { as: 'stored' };
  if (asked.includes(',')) return undefined;
  const type = storedTypeOf(asked);
  if (type === undefined) return undefined;
  if (type !== 'text/plain') return { as: 'bytes', contentType: type };
  return { as: 'text', contentType: /^text\/plain; ?charset=utf-8$/.test(asked) ? asked : TEXT };
}
