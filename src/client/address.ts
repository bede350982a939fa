import { CofferError } from './coffer-error.ts';

const loopback = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * The address without its trailing slash. Throws `CofferError` `configuration` for what is no http(s) URL or
 * holds a user, a query or a fragment, and `insecure` for plain http to another machine unless that is
 * allowed.
 */
export function checkAddress(text: string, what: string, allowInsecure: boolean): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new CofferError('configuration', `${what} is not a URL; expected one such as https://host:9311`);
  }
  const wrong =
    url.protocol !== 'https:' && url.protocol !== 'http:'
      ? 'starts with neither https:// nor http://'
      : url.username !== '' || url.password !== ''
        ? 'holds a user or a password; give credentials apart from it'
        : url.search !== '' || url.hash !== ''
          ? 'holds a query or a fragment'
          : undefined;
  if (wrong !== undefined) throw new CofferError('configuration', `${what} ${wrong}`);
  if (url.protocol === 'http:' && !allowInsecure && !loopback.test(url.hostname)) {
    throw new CofferError(
      'insecure',
      `${what} sends tokens and secrets to ${url.host} in clear; use https, or allow it with allowInsecure (COFFER_ALLOW_INSECURE=1)`,
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const reference = /^https?:\/\/.+\/v1\/([a-z_-]+)\/([^/?#]+)\/?$/;

/**
 * The id in a bare id or in a reference of any host: the host of a reference is never contacted. Undefined
 * when the text is neither.
 */
export function findSecretId(text: string): string | undefined {
  return findId('secrets', text);
}

/** As `findSecretId`, of a container. */
export function findContainerId(text: string): string | undefined {
  return findId('containers', text);
}

function findId(collection: string, text: string): string | undefined {
  const [, named, last] = reference.exec(text) ?? [];
  const id = named === collection ? last : text;
  return id !== undefined && uuid.test(id) ? id : undefined;
}

/** As `findSecretId`, but throws `CofferError` `bad_request`. */
export function parseSecretId(text: string): string {
  return parseId('secrets', text);
}

type Collection = 'secrets' | 'containers' | 'orders';

/** The same for another collection. */
export function parseId(collection: Collection, text: string): string {
  const id = findId(collection, text);
  if (id === undefined) {
    throw new CofferError('bad_request', `expected an id (a UUID) or a reference of ${collection}`);
  }
  return id;
}

/** What is shared and used: a secret or a container, by its id or its reference. */
export type Shared = { secret: string } | { container: string };

export function pathOfShared(shared: Shared): string {
  return 'secret' in shared
    ? `/v1/secrets/${parseId('secrets', shared.secret)}`
    : `/v1/containers/${parseId('containers', shared.container)}`;
}
