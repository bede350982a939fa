import { CofferError } from '../errors.ts';
import { schemaMismatch } from '../http/json-schema-messages.ts';
import { repr, stripText } from '../http/python-text.ts';

export type StoredType = 'text/plain' | 'application/octet-stream' | 'application/pkcs8';

export interface Payload {
  payload: Uint8Array;
  contentType: StoredType;
}

const PLAIN_TEXT = ['text/plain', 'text/plain;charset=utf-8', 'text/plain; charset=utf-8'];
const SUPPORTED = repr([...PLAIN_TEXT, 'application/octet-stream', 'application/pkcs8']);
const STORED_TYPES: ReadonlyMap<string, StoredType> = new Map(
  (['text/plain', 'application/octet-stream', 'application/pkcs8'] as const).map((type) => [type, type]),
);

/** As Barbican: of the parameters only the first counts, and whatever its name, its value must be utf-8. */
export function storedTypeOf(contentType: string): StoredType | undefined {
  const [type = '', parameter] = contentType.split(';').map(stripText);
  if (parameter !== undefined) {
    const [, charset] = parameter.toLowerCase().split('=').map(stripText);
    if (charset !== 'utf-8') return undefined;
  }
  return STORED_TYPES.get(type.toLowerCase());
}

export function unsupportedType(schema: string): CofferError {
  const reason = `payload_content_type is not one of ${SUPPORTED}`;
  return schemaMismatch(schema, reason, 'payload_content_type');
}

export interface PayloadFields {
  payload: string;
  contentType: string | null;
  encoding: string | undefined;
  payloadBytesMax: number;
  schema: string;
}

/** The payload of a creation in one step: Barbican's checks in its order; the size is that of the text. */
export function decodePayload(fields: PayloadFields): Payload {
  const { payload, contentType, encoding, schema } = fields;
  if (contentType === null) {
    const reason = "If 'payload' is supplied, 'payload_content_type' must also be supplied.";
    throw schemaMismatch(schema, reason, 'payload_content_type');
  }
  const type = storedTypeOf(contentType);
  if (type === undefined) throw unsupportedType(schema);
  if (encoding !== (type === 'text/plain' ? undefined : 'base64')) {
    const supported = type === 'text/plain' ? 'None' : repr(['base64', 'binary']);
    const reason = `payload_content_encoding is not one of ${supported}`;
    throw schemaMismatch(schema, reason, 'payload_content_encoding');
  }
  if (Buffer.byteLength(payload) > fields.payloadBytesMax) {
    throw new CofferError('payload_too_large', 'Provided information too large to process');
  }
  const text = stripText(payload);
  if (text === '') throw schemaMismatch(schema, "If 'payload' specified, must be non empty", 'payload');
  const bytes = type === 'text/plain' ? encodeText(text) : decodeBase64(text);
  if (bytes === undefined) {
    throw schemaMismatch(schema, 'Invalid payload for payload_content_encoding', 'payload');
  }
  return { payload: bytes, contentType: type };
}

function encodeText(text: string): Uint8Array | undefined {
  return /\p{Surrogate}/u.test(text) ? undefined : new TextEncoder().encode(text);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$/;

/** The standard alphabet, padded, with white space anywhere; undefined for all else, and for no bytes. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const dense = text.replace(/[\t\n\v\f\r ]+/g, '');
  if (!BASE64.test(dense)) return undefined;
  return new Uint8Array(Buffer.from(dense, 'base64'));
}

export interface Upload {
  contentType: string | undefined;
  contentEncoding: string | undefined;
  transportKeyId?: string | undefined;
  body: Uint8Array;
}

const UPDATE = 'Secret update issue seen -';
const UPLOAD_TYPES = ['application/octet-stream', 'text/plain'];

/**
 * The payload of the second step: Barbican's checks in its order. Text is kept byte for byte, whatever its
 * Content-Encoding. The bytes are always a copy: they are wiped after use, and the body may be read again.
 */
export function decodeUpload(
  upload: Upload,
  secret: { payloadBytesMax: number; hasPayload: boolean },
): Payload {
  const { body } = upload;
  const mediaType = stripText(upload.contentType?.split(';')[0] ?? '').toLowerCase();
  const contentType = UPLOAD_TYPES.includes(mediaType) ? STORED_TYPES.get(mediaType) : undefined;
  if (contentType === undefined) {
    const reason = `Unexpected content type. Expected content types are: ${repr(UPLOAD_TYPES)}`;
    throw new CofferError('unsupported_media_type', reason);
  }
  if (body.length === 0) throw new CofferError('bad_request', `${UPDATE} No data supplied to process..`);
  if (body.length > secret.payloadBytesMax) {
    throw new CofferError('payload_too_large', `${UPDATE} Provided information too large to process.`);
  }
  if (secret.hasPayload) throw new CofferError('conflict', 'Secret already has data, cannot modify it.');
  refuseTransportKey('Secret update', upload.transportKeyId);
  const encoding = stripText(upload.contentEncoding ?? '').toLowerCase();
  if (contentType === 'text/plain' || encoding === '') return { payload: new Uint8Array(body), contentType };
  if (encoding !== 'base64') {
    const reason = "Text-based binary secret payloads must specify a content-encoding of 'base64'.";
    throw new CofferError('bad_request', `${UPDATE} ${reason}`);
  }
  const payload = decodeBase64(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'));
  if (payload === undefined) throw new CofferError('bad_request', `${UPDATE} Problem decoding payload.`);
  return { payload, contentType };
}

/** There are no transport keys, so that whichever is named is unknown. */
export function refuseTransportKey(operation: string, id: string | undefined): void {
  if (id === undefined) return;
  throw new CofferError('bad_request', `${operation} issue seen - Provided transport key was not found..`);
}
