import { CofferError } from '../errors.ts';
import { checkObject, type ObjectSchema, schemaMismatch } from '../http/json-schema-messages.ts';
import { stripText } from '../http/python-text.ts';
import { formatTimestamp } from '../http/timestamps.ts';
import { type OrderedSecret, parseOrderedSecret } from '../secrets/schema.ts';

const ORDER_TYPES = ['key', 'asymmetric'] as const;
export type OrderType = (typeof ORDER_TYPES)[number];

export const NEW_ORDER: ObjectSchema = {
  name: 'Order',
  properties: {
    meta: { types: ['object'], required: true, withheld: true },
    type: { types: ['string'], oneOf: ORDER_TYPES, required: true },
  },
};

/** The message puts it between quotes: `schema 'Secret' within 'Order'`. */
const META_SCHEMA = "Secret' within 'Order";
/** OpenSSL opens no private key with a longer one. */
const PASSPHRASE_BYTES_MAX = 1_024;
/** Barbican reads the first, its client sends the second. */
const PASSPHRASES = ['passphrase', 'pass_phrase'] as const;

export type OrderMeta = Record<string, unknown>;

export interface NewOrder {
  type: OrderType;
  /** As it is shown: without a passphrase. */
  meta: OrderMeta;
  passphrase: Uint8Array | null;
}

export interface OrderRules {
  now: Date;
  payloadBytesMax: number;
}

/** The body of a submission: Barbican's checks in its order, in its words. */
export function parseNewOrder(body: unknown, rules: OrderRules): NewOrder {
  const { type, meta } = checkObject(NEW_ORDER, stripStrings(body)) as { type: OrderType; meta: OrderMeta };
  const wanted = parseMeta(type, meta, rules);
  const noun = type === 'key' ? 'key' : 'asymmetric key';
  if (!wanted.algorithm) throw missing('algorithm', noun);
  if (wanted.bitLength === null) throw missing('bit_length', noun);
  if (wanted.bitLength % 8n !== 0n) {
    throw new CofferError('bad_request', 'Provided field value is not supported');
  }
  const shown: OrderMeta = { ...meta, name: wanted.name };
  shown.expiration = wanted.expiration && formatTimestamp(wanted.expiration);
  for (const property of PASSPHRASES) delete shown[property];
  return { type, meta: shown, passphrase: type === 'key' ? null : parsePassphrase(meta) };
}

/** The secret that an accepted order asks for, from what it shows; what has ended since is no matter here. */
export function readMeta(type: OrderType, meta: string): OrderedSecret {
  const { expiration, ...fields } = JSON.parse(meta) as OrderMeta;
  const known = typeof expiration === 'string' ? { ...fields, expiration } : fields;
  return parseMeta(type, known, { now: new Date(0), payloadBytesMax: 0 });
}

function parseMeta(type: OrderType, meta: OrderMeta, rules: OrderRules): OrderedSecret {
  const reason = `'payload' not allowed for ${type} type order`;
  return parseOrderedSecret(meta, META_SCHEMA, rules, () => schemaMismatch(NEW_ORDER.name, reason, 'meta'));
}

function missing(property: string, noun: string): CofferError {
  return schemaMismatch(NEW_ORDER.name, `'${property}' is required field for ${noun} type order`, 'meta');
}

function parsePassphrase(meta: OrderMeta): Uint8Array | null {
  for (const property of PASSPHRASES) {
    const given = meta[property] ?? '';
    if (given === '') continue;
    if (typeof given !== 'string') {
      throw schemaMismatch(META_SCHEMA, "the value is not of type 'string'", property);
    }
    const bytes = new TextEncoder().encode(given);
    if (bytes.length > PASSPHRASE_BYTES_MAX) {
      throw schemaMismatch(META_SCHEMA, 'the value is too long', property);
    }
    return bytes;
  }
  return null;
}

function stripStrings(value: unknown): unknown {
  if (typeof value === 'string') return stripText(value);
  if (Array.isArray(value)) return value.map(stripStrings);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, stripStrings(item)]));
}

/** As Python writes JSON, with blanks after `,` and `:`: the filter `meta` looks for a part of this text. */
export function formatMeta(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formatMeta).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${formatMeta(item)}`);
  return `{${pairs.join(', ')}}`;
}
