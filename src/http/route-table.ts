interface KnownPath {
  pattern: RegExp;
  parameters: string[];
  methods: Set<string>;
}

export interface Match {
  methods: string[];
  parameters: Record<string, string>;
}

/**
 * The paths that exist, so that a path known under other methods is told from one that is not known at all.
 */
export class RouteTable {
  readonly #paths = new Map<string, KnownPath>();

  add(url: string, methods: readonly string[]): void {
    const known = this.#paths.get(url) ?? compile(url);
    for (const method of methods) known.methods.add(method);
    this.#paths.set(url, known);
  }

  match(path: string): Match | undefined {
    let match: Match | undefined;
    for (const known of this.#paths.values()) {
      const found = known.pattern.exec(path);
      if (found === null) continue;
      const parameters = Object.fromEntries(
        known.parameters.map((name, index) => [name, found[index + 1] ?? '']),
      );
      match = {
        methods: [...new Set([...(match?.methods ?? []), ...known.methods])].sort(),
        parameters: { ...match?.parameters, ...parameters },
      };
    }
    return match;
  }
}

function compile(url: string): KnownPath {
  const parameters: string[] = [];
  const segments = url.split('/').map((segment) => {
    if (segment === '*') return '.*';
    if (/^:\w+$/.test(segment)) {
      parameters.push(segment.slice(1));
      return '([^/]+)';
    }
    if (/[:*()]/.test(segment)) throw new Error(`route ${url}: only whole segments may be parameters`);
    return segment.replace(/[.+?^${}|[\]\\]/g, '\\$&');
  });
  const path = segments.join('/').replace(/(?<=.)\/$/, '');
  return { pattern: new RegExp(`^${path}$`), parameters, methods: new Set() };
}
