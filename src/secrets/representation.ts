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
  bytes: Uint8Array;
}

/** `stored` is the type that the payload was stored with; `text` is refused for bytes that are not UTF-8. */
export type Wanted = { as: 'stored' } | { as: 'bytes' | 'text'; contentType: string };

type Operation = 'Secret payload retrieval' | 'Secret retrieval';

const TEXT = 'text/plain; charset=UTF-8';
const BYTES = 'application/octet-stream';

/**
 * What an `Accept` header asks of a payload: one type that payloads can have; no header means the plain
 * bytes. Undefined for a list, a q-value and other types: a payload has a single form, so there is nothing to
 * choose.
 */
export function wantedRepresentation(accept: string | undefined): Wanted | undefined {
  const asked = stripText(accept ?? '');
  if (asked === '') return { as: 'bytes', contentType: BYTES };
  if (asked === '*/*') return { as: 'stored' };
  if (asked.includes(',')) return undefined;
  const type = storedTypeOf(asked);
  if (type === undefined) return undefined;
  if (type !== 'text/plain') return { as: 'bytes', contentType: type };
  return { as: 'text', contentType: /^text\/plain; ?charset=utf-8$/.test(asked) ? asked : TEXT };
}

export function wrongContentType(operation: Operation): CofferError {
  return new CofferError('not_acceptable', `${operation} issue seen - Wrong payload content-type.`);
}

/** Bytes are never converted: they leave as they came, or not at all. */
export function represent(wanted: Wanted, stored: StoredPayload, operation: Operation): Representation {
  const { contentType, payload: bytes } = stored;
  if (wanted.as === 'text' && !isUtf8(bytes)) throw wrongContentType(operation);
  if (wanted.as !== 'stored') return { contentType: wanted.contentType, bytes };
  if (contentType !== 'text/plain') return { contentType, bytes };
  return { contentType: isUtf8(bytes) ? TEXT : BYTES, bytes };
}
