import { CofferError } from '../errors.ts';
import { checkObject, type ObjectSchema, schemaMismatch } from '../http/json-schema-messages.ts';
import { stripText } from '../http/python-text.ts';
import { parseExpiration } from './expiration.ts';
import {
  decodePayload,
  type Payload,
  refuseTransportKey,
  storedTypeOf,
  type StoredType,
  unsupportedType,
} from './payload.ts';

export const SECRET_TYPES = [
  'symmetric',
  'passphrase',
  'private',
  'public',
  'certificate',
  'opaque',
] as const;
type SecretType = (typeof SECRET_TYPES)[number];

export interface NewSecret {
  name: string | null;
  algorithm: string | null;
  bitLength: bigint | null;
  mode: string | null;
  secretType: SecretType;
  expiration: Date | null;
  payload: Uint8Array | null;
  contentType: StoredType | null;
}

export const NEW_SECRET: ObjectSchema = {
  name: 'Secret',
  properties: {
    name: { types: ['string', 'null'], lengthMax: 255 },
    algorithm: { types: ['string'], lengthMax: 255 },
    mode: { types: ['string'], lengthMax: 255 },
    bit_length: { types: ['integer'], minimum: 1, maximum: 32767 },
    expiration: { types: ['string'], lengthMax: 255 },
    payload: { types: ['string'], withheld: true },
    secret_type: { types: ['string'], lengthMax: 80, oneOf: SECRET_TYPES },
    payload_content_type: { types: ['string', 'null'], lengthMax: 255 },
    payload_content_encoding: { types: ['string'], lengthMax: 255, oneOf: ['base64'] },
    transport_key_needed: { types: ['string'], oneOf: ['true', 'false'] },
    transport_key_id: { types: ['string'] },
  },
};

interface Fields {
  name?: string | null;
  algorithm?: string;
  mode?: string;
  bit_length?: number;
  expiration?: string;
  payload?: string;
  secret_type?: SecretType;
  payload_content_type?: string | null;
  payload_content_encoding?: string;
  transport_key_needed?: string;
  transport_key_id?: string;
}

export interface SecretRules {
  now: Date;
  payloadBytesMax: number;
}

/** The secret that an order asks for: no content type is an explicit null. */
export type OrderedSecret = Omit<NewSecret, 'payload' | 'secretType'>;

/**
 * What an order says of its secret: checked as a creation, in the name of `schema`, but that a content type
 * comes without a payload. @throws CofferError `bad_request` for a payload too, by `refusePayload`.
 */
export function parseOrderedSecret(
  meta: Record<string, unknown>,
  schema: string,
  rules: SecretRules,
  refusePayload: () => CofferError,
): OrderedSecret {
  const fields: Fields = checkObject({ ...NEW_SECRET, name: schema }, meta);
  const expiration = parseExpiration(fields.expiration ?? '', rules.now, schema);
  const { payload, payload_content_type: given, payload_content_encoding: encoding } = fields;
  if (payload !== undefined) {
    decodePayload({ payload, contentType: given ?? null, encoding, ...rules, schema });
    throw refusePayload();
  }
  return {
    name: storable(fields.name, 'name', schema),
    algorithm: storable(fields.algorithm, 'algorithm', schema),
    bitLength: fields.bit_length === undefined ? null : BigInt(fields.bit_length),
    mode: storable(fields.mode, 'mode', schema),
    expiration,
    contentType: given === null ? null : requireStoredType(given ?? '', schema),
  };
}

function requireStoredType(given: string, schema: string): StoredType {
  const type = given === '' ? 'application/octet-stream' : storedTypeOf(given);
  if (type === undefined) throw unsupportedType(schema);
  return type;
}

/** The body of a creation: its shape, then its expiration, then its payload; what is wrong first is told. */
export function parseNewSecret(body: unknown, rules: SecretRules): NewSecret {
  const fields = stripFields(body);
  const expiration = parseExpiration(fields.expiration ?? '', rules.now, NEW_SECRET.name);
  const payload = parsePayload(fields, rules.payloadBytesMax);
  return {
    name: storable(fields.name, 'name', NEW_SECRET.name),
    algorithm: storable(fields.algorithm, 'algorithm', NEW_SECRET.name),
    bitLength: fields.bit_length === undefined ? null : BigInt(fields.bit_length),
    mode: storable(fields.mode, 'mode', NEW_SECRET.name),
    secretType: fields.secret_type ?? 'opaque',
    expiration,
    payload: payload?.payload ?? null,
    contentType: payload?.contentType ?? null,
  };
}

function stripFields(body: unknown): Fields {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return checkObject(NEW_SECRET, body);
  }
  const stripped = Object.entries(body).map(([key, value]: [string, unknown]) => [
    key,
    typeof value === 'string' ? stripText(value) : value,
  ]);
  return checkObject(NEW_SECRET, Object.fromEntries(stripped));
}

function parsePayload(fields: Fields, payloadBytesMax: number): Payload | undefined {
  const schema = NEW_SECRET.name;
  const contentType = fields.payload_content_type ?? null;
  if (fields.payload === undefined) {
    if (contentType !== null) {
      const reason = 'payload must be provided when payload_content_type is specified';
      throw schemaMismatch(schema, reason, 'payload');
    }
    if (fields.transport_key_needed === 'true') {
      throw new CofferError('bad_request', 'Secret creation issue seen - Transport keys are not supported.');
    }
    return undefined;
  }
  const { payload, payload_content_encoding: encoding } = fields;
  const decoded = decodePayload({ payload, contentType, encoding, payloadBytesMax, schema });
  refuseTransportKey('Secret creation', fields.transport_key_id);
  return decoded;
}

/** PostgreSQL keeps neither NUL nor half of a surrogate pair. */
function storable(text: string | null | undefined, property: string, schema: string): string | null {
  if (text === undefined || text === null) return null;
  if (/\0|\p{Surrogate}/u.test(text)) {
    throw schemaMismatch(schema, 'a character that cannot be stored was found', property);
  }
  return text;
}
