/** Who asks, as a verified token says it, after its rights were loaded. */
export interface Actor {
  userId: string;
  projectId: string | null;
  /** Already expanded by `expandRoles`. */
  roles: readonly string[];
  domainId: string | null;
  /** The token's `jti`, or 'noauth'. */
  auditId: string;
  /** What the token is scoped to when it is no project: all of the system, or the domain of this id. */
  systemScope?: boolean;
  scopeDomainId?: string;
}

/** Who asks, and in which request. */
export interface Caller {
  actor: Actor;
  requestId: string;
}

const impliedBy: ReadonlyMap<string, string> = new Map([
  ['admin', 'manager'],
  ['manager', 'member'],
  ['member', 'reader'],
]);

/**
 * The roles given and all that they imply (admin → manager → member → reader), each once, in the order first
 * met. An empty name is dropped; a role outside that chain implies nothing.
 */
export function expandRoles(roles: readonly string[]): string[] {
  const expanded = new Set<string>();
  for (const given of roles) {
    let role: string | undefined = given;
    while (role) {
      expanded.add(role);
      role = impliedBy.get(role);
    }
  }
  return [...expanded];
}
