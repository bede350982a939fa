export type Surface = 'root' | 'v1' | 'v2' | 'identity' | 'other';

const surfaces: ReadonlyMap<string, Surface> = new Map([
  ['', 'root'],
  ['v1', 'v1'],
  ['v2', 'v2'],
  ['identity', 'identity'],
]);

/**
 * The path of a request target as the router sees it: no query, no host, slashes collapsed, none at the end.
 */
export function pathOf(target: string): string {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  const collapsed = `/${path}`.replace(/\/{2,}/g, '/');
  return collapsed.length > 1 && collapsed.endsWith('/') ? collapsed.slice(0, -1) : collapsed;
}

export function surfaceOf(path: string): Surface {
  const end = path.indexOf('/', 1);
  return surfaces.get(end === -1 ? path.slice(1) : path.slice(1, end)) ?? 'other';
}
