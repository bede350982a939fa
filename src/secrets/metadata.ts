import { CofferError } from '../errors.ts';
import { checkObject, type ObjectSchema, schemaMismatch } from '../http/json-schema-messages.ts';
import { lengthOf, repr, stripText } from '../http/python-text.ts';

/** Sorted by key; a map, for `__proto__` is a key like any other. */
export type UserMetadata = ReadonlyMap<string, string>;

export interface Metadatum {
  key: string;
  value: string;
}

const LENGTH_MAX = 255;
/** Metadata is part of the row that every read of a secret reads: no more than one request brings. */
const METADATA_KEYS_MAX = 256;
const METADATA_BYTES_MAX = 25_000;

export const WHOLE_METADATA: ObjectSchema = {
  name: 'SecretMetadata',
  properties: { metadata: { types: ['object'], required: true } },
};
export const METADATUM: ObjectSchema = {
  name: 'SecretMetadatum',
  properties: {
    key: { types: ['string'], lengthMax: LENGTH_MAX, required: true },
    value: { types: ['string'], lengthMax: LENGTH_MAX, required: true },
  },
  closed: true,
};

/**
 * The body that replaces the whole set. Of keys that differ in case alone the last not in lower case wins, as
 * in Barbican. The empty key passes, as there: it comes and goes with the set, and has no address of its own.
 */
export function parseMetadata(body: unknown): UserMetadata {
  const { metadata } = checkObject(WHOLE_METADATA, body) as { metadata: Record<string, unknown> };
  const lower = new Map<string, string>();
  const lowered = new Map<string, string>();
  for (const [key, value] of Object.entries(metadata)) {
    const lowerKey = parseKey(key);
    if (typeof value !== 'string') {
      throw new CofferError('bad_request', 'Invalid Metadata. Keys and Values must be Strings.');
    }
    const stripped = stripText(value);
    for (const text of [key, stripped]) {
      if (lengthOf(text) > LENGTH_MAX)
        throw schemaMismatch(WHOLE_METADATA.name, `${repr(text)} is too long`, 'metadata');
    }
    (key === lowerKey ? lower : lowered).set(lowerKey, storable(stripped, WHOLE_METADATA.name, 'metadata'));
  }
  return within(new Map([...lower, ...lowered]));
}

/** The body that adds or changes one item. */
export function parseMetadatum(body: unknown): Metadatum {
  const { key, value } = checkObject(METADATUM, body) as unknown as Metadatum;
  return { key: parseKey(stripText(key)), value: storable(stripText(value), METADATUM.name, 'value') };
}

export function addMetadatum(metadata: UserMetadata, added: Metadatum): UserMetadata {
  if (metadata.has(added.key)) {
    throw new CofferError('conflict', 'Conflict. Key in request is already in the secret metadata');
  }
  return within(new Map(metadata).set(added.key, added.value));
}

/** The path is compared as it is written: keys are stored in lower case, and upper case names none. */
export function changeMetadatum(metadata: UserMetadata, pathKey: string, changed: Metadatum): UserMetadata {
  getMetadatum(metadata, pathKey);
  if (pathKey !== changed.key) {
    throw new CofferError('conflict', 'Key in request data does not match key in the ');
  }
  return within(new Map(metadata).set(changed.key, changed.value));
}

/** Without the key; the same map where it has none. */
export function removeMetadatum(metadata: UserMetadata, pathKey: string): UserMetadata {
  if (!metadata.has(pathKey)) return metadata;
  return new Map([...metadata].filter(([key]) => key !== pathKey));
}

export function getMetadatum(metadata: UserMetadata, pathKey: string): Metadatum {
  const value = metadata.get(pathKey);
  if (value === undefined) throw new CofferError('not_found', 'Secret metadata not found.');
  return { key: pathKey, value };
}

function parseKey(key: string): string {
  if (!/^[A-Za-z0-9_-]*$/.test(key))
    throw new CofferError('bad_request', 'Invalid Key. Key must be URL safe.');
  return key.toLowerCase();
}

function storable(value: string, schema: string, property: string): string {
  if (/\0|\p{Surrogate}/u.test(value)) {
    throw schemaMismatch(schema, 'a character that cannot be stored was found', property);
  }
  return value;
}

/** @throws CofferError `bad_request` when it is more than a row should carry. */
function requireMetadataRoom(metadata: UserMetadata): void {
  let size = 0;
  for (const [key, value] of metadata) size += key.length + Buffer.byteLength(value);
  if (metadata.size > METADATA_KEYS_MAX || size > METADATA_BYTES_MAX) {
    const most = `${METADATA_KEYS_MAX} keys and ${METADATA_BYTES_MAX} bytes`;
    throw new CofferError('bad_request', `Invalid Metadata. A secret has at most ${most}.`);
  }
}

function within(metadata: UserMetadata): UserMetadata {
  requireMetadataRoom(metadata);
  return new Map([...metadata].sort(([a], [b]) => (a < b ? -1 : 1)));
}
