import { CofferError } from '../errors.ts';

const uuidV4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The canonical text of a version 4 UUID: lower case, with dashes. */
export function isUuidV4(text: string): boolean {
  return uuidV4.test(text);
}

export type Collection = 'secrets' | 'containers' | 'orders' | 'secret-stores' | 'transport_keys';
const collections: ReadonlySet<string> = new Set<Collection>([
  'secrets',
  'containers',
  'orders',
  'secret-stores',
  'transport_keys',
]);

/** Clients take the last segment of a reference as the id, so it never ends in a slash. */
export function refTo(publicUrl: string, collection: Collection, id: string): string {
  return `${publicUrl}/v1/${collection}/${id}`;
}

export interface Addresses {
  publicUrl: string;
  formerUrls: readonly string[];
}

/** `collection` is null for a bare id, which says nothing about what it is an id of. */
export interface Reference {
  collection: Collection | null;
  id: string;
}

/**
 * Reads a reference under the public address, one under a former address, or a bare id. Anything else, such
 * as another service's reference, is undefined. The id is returned as it is written: its syntax is the
 * collection's affair.
 */
export function parseReference(text: string, addresses: Addresses): Reference | undefined {
  if (/^[A-Za-z0-9_-]{1,255}$/.test(text)) return { collection: null, id: text };
  for (const address of [addresses.publicUrl, ...addresses.formerUrls]) {
    const start = `${address.replace(/\/+$/, '')}/v1/`;
    if (!text.startsWith(start)) continue;
    const [collection = '', id = '', ...rest] = text.slice(start.length).replace(/\/$/, '').split('/');
    if (!collections.has(collection) || rest.length > 0 || !/^[A-Za-z0-9_-]{1,255}$/.test(id))
      return undefined;
    return { collection: collection as Collection, id };
  }
  return undefined;
}

const idNames: ReadonlyMap<string, string> = new Map([
  ['secretId', 'secret'],
  ['containerId', 'container'],
  ['consumerId', 'consumer'],
  ['transportKeyId', 'transport key'],
]);

/** The route parameters that must be version 4 UUIDs: a wrong one is refused before anything is looked up. */
export function requireIdSyntax(parameters: Readonly<Record<string, unknown>>): void {
  for (const name in parameters) {
    const noun = idNames.get(name);
    const value = parameters[name];
    if (noun !== undefined && !(typeof value === 'string' && uuidV4.test(value))) {
      throw new CofferError('not_found', `Not Found. Provided ${noun} id is invalid.`);
    }
  }
}
