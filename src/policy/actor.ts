/** What a token's roles are for. An unscoped one has none. */
export type ScopeKind = 'project' | 'domain' | 'system' | 'unscoped';

/** What an application credential may ask for: requests of other services, methods and paths are refused. */
export interface AccessRule {
  service: string;
  method: string;
  path: string;
}

/** Who asks, as a verified token says it, after its rights were loaded. */
export interface Actor {
  userId: string;
  scope: ScopeKind;
  /** Of a token that is scoped to a project; null in every other scope. */
  projectId: string | null;
  /** Of one that is scoped to a domain; null in every other scope. */
  scopeDomainId: string | null;
  /** Those of the scope, already expanded by `expandRoles`. */
  roles: readonly string[];
  /** The domain that the user is in. */
  domainId: string | null;
  /** The token's `jti`, or 'noauth'. */
  auditId: string;
  /** The credential that the token came of. */
  applicationCredentialId: string | null;
  /** Null restricts nothing; an empty list allows nothing. */
  accessRules: readonly AccessRule[] | null;
  /** Whose JWT the token was exchanged for: the issuer's name here, and the subject there. */
  workload?: { issuer: string; subject: string };
}

/** Whether what was decided for one would be decided for the other. The order of roles is no matter. */
export function hasSameRights(one: Actor, other: Actor): boolean {
  const text = (actor: Actor): string => JSON.stringify({ ...actor, roles: [...actor.roles].sort() });
  return text(one) === text(other);
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
 * A role's name as rules have it, where it is another's: OpenStack's services compare roles without case. Of
 * ASCII alone, so that no other letter becomes one.
 */
export function foldRole(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

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
