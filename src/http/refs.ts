import { CofferError } from '../errors.ts';

const uuidV4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The canonical text of a version 4 UUID: lower case, with dashes. */
export function isUuidV4(text: string): boolean {
  return uuidV4.test(text);
}

export type Collection = 'secrets' | 'containers' | 'orders' | 'secret-stores' | 'transport_keys';

/** Clients take the last segment of a reference as the id, so it never ends in a slash. */
export function refTo(publicUrl: string, collection: Collection, id: string): string {
  return `${publicUrl}/v1/${collection}/${id}`;
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
