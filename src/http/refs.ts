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

/** Where references of ours begin: the public URL, and those that it had before. */
interface Addresses {
  readonly publicUrl: string;
  readonly formerUrls: readonly string[];
}

const WRITTEN_URL = /^(https?):\/\/([A-Za-z0-9.:_[\]-]+)(\/[\x21-\x7e]*)$/i;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/**
 * The id in a reference that a client gives: a bare id, or a URL under the public address or a former one.
 * Undefined for one of ours that ends in no id, which therefore names nothing. Compared as URLs: scheme and
 * host by any case, a default port written or not, one slash at the end. What else a URL parser would put
 * right (`..`, a backslash, white space, another way to write a host), and credentials, query and fragment,
 * no reference of ours has.
 *
 * @throws CofferError `bad_request` for everything else.
 */
export function parseReference(
  addresses: Addresses,
  collection: Collection,
  text: string,
): string | undefined {
  if (uuidV4.test(text)) return text;
  const path = ownPath(addresses, `/v1/${collection}/`, text);
  if (path === undefined) throw new CofferError('bad_request', 'Provided field value is not supported');
  const id = path.replace(/\/$/, '');
  return uuidV4.test(id) ? id : undefined;
}

/** What follows base and prefix in a URL of ours. */
function ownPath({ publicUrl, formerUrls }: Addresses, prefix: string, text: string): string | undefined {
  const [, , authority = '', path] = WRITTEN_URL.exec(text) ?? [];
  if (path === undefined || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const hosts = [url.host, `${url.hostname}:${DEFAULT_PORTS[url.protocol]}`];
  if (url.pathname !== path || !hosts.includes(authority.toLowerCase())) return undefined;
  for (const base of [publicUrl, ...formerUrls]) {
    const { origin, pathname } = new URL(base);
    const start = `${pathname.replace(/\/$/, '')}${prefix}`;
    if (url.origin === origin && path.startsWith(start)) return path.slice(start.length);
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
