import { CofferError } from './coffer-error.ts';
import type { NewSecret, PayloadContentType } from './secret.ts';

/** A value as it goes over the wire. */
export interface Payload {
  bytes: Uint8Array;
  contentType: PayloadContentType;
}

/** The server takes 20,000 characters of text or base64 in the one-step form, in 25,000 bytes of JSON. */
const inlineCharactersMax = 20_000;
const inlineJsonBytesMax = 23_000;

/**
 * Bytes and content type of a value. Throws `CofferError` `bad_request` for text with half a surrogate pair.
 */
export function encodePayload(value: string | Uint8Array, contentType?: PayloadContentType): Payload {
  if (typeof value !== 'string')
    return { bytes: value, contentType: contentType ?? 'application/octet-stream' };
  if (/\p{Surrogate}/u.test(value)) {
    throw new CofferError('bad_request', 'the text holds half a surrogate pair, which has no UTF-8 form');
  }
  return { bytes: new TextEncoder().encode(value), contentType: contentType ?? 'text/plain' };
}

function formatBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x2000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x2000));
  }
  return btoa(text);
}

/** Text that survives the one-step form: the server strips its ends, refuses NUL and reads UTF-8 only. */
function inlineText(bytes: Uint8Array): string | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
  // the ends that servers of this API strip from every text, with control characters to be safe
  if (text.includes('\0') || /^[\s\p{Cc}]|[\s\p{Cc}]$/u.test(text)) return undefined;
  return bytes.length <= inlineCharactersMax &&
    new TextEncoder().encode(JSON.stringify(text)).length <= inlineJsonBytesMax
    ? text
    : undefined;
}

/**
 * The fields that bring the value along with the secret's creation, or undefined when the value only arrives
 * unchanged by an upload of its own: text with space at its ends, with NUL, or what is too large for JSON.
 */
export function inlinePayload({ bytes, contentType }: Payload): Record<string, string> | undefined {
  if (bytes.length === 0) return undefined;
  if (contentType === 'text/plain') {
    const payload = inlineText(bytes);
    return payload === undefined ? undefined : { payload, payload_content_type: contentType };
  }
  if (Math.ceil(bytes.length / 3) * 4 > inlineCharactersMax && contentType !== 'application/pkcs8')
    return undefined;
  return {
    payload: formatBase64(bytes),
    payload_content_type: contentType,
    payload_content_encoding: 'base64',
  };
}

/** The other fields of a creation, in the wire's names. */
export function secretFields(secret: NewSecret): Record<string, string | number | undefined> {
  return {
    name: secret.name,
    secret_type: secret.type,
    expiration: secret.expiration?.toISOString(),
    algorithm: secret.algorithm,
    bit_length: secret.bitLength,
    mode: secret.mode,
  };
}
