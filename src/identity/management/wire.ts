import type { ProjectRow, RoleRow, UserRow } from '../../db/schema.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';
import { decodeExtra } from './extra.ts';
import type { FoundAssignment } from './role-assignments.ts';
import { type Inference, isBuiltIn } from './roles.ts';

/** Where identity's resources are: links are built from it alone. */
export const baseOf = ({ publicUrl }: { publicUrl: string }): string => `${publicUrl}/identity/v3`;

export function formatDomain(base: string): object {
  return {
    ...DEFAULT_DOMAIN,
    description: 'The default domain',
    enabled: true,
    tags: [],
    options: {},
    links: { self: `${base}/domains/${DEFAULT_DOMAIN.id}` },
  };
}

export function formatProject(base: string, project: ProjectRow): object {
  const { id, name, description, enabled } = project;
  const extra = decodeExtra(project.extra);
  return {
    ...Object.fromEntries(extra),
    id,
    name,
    domain_id: DEFAULT_DOMAIN.id,
    description: description ?? '',
    enabled,
    parent_id: DEFAULT_DOMAIN.id,
    is_domain: false,
    tags: extra.get('tags') ?? [],
    options: {},
    links: { self: `${base}/projects/${id}` },
  };
}

/** The domain, as Keystone lists it among projects for `is_domain=true`. */
export function formatDomainAsProject(base: string): object {
  return {
    ...formatDomain(base),
    domain_id: null,
    parent_id: null,
    is_domain: true,
    links: { self: `${base}/projects/${DEFAULT_DOMAIN.id}` },
  };
}

/** What a user has not is left out, as Keystone does. */
export function formatUser(base: string, user: UserRow): object {
  const { id, name, domain_id, enabled, default_project_id, email, description } = user;
  const present = Object.entries({ default_project_id, email, description });
  return {
    ...Object.fromEntries(decodeExtra(user.extra)),
    id,
    name,
    domain_id,
    enabled,
    ...Object.fromEntries(present.filter(([, value]) => value !== null)),
    password_expires_at: null,
    options: {},
    links: { self: `${base}/users/${id}` },
  };
}

export function formatRole(base: string, role: RoleRow): object {
  const { id, name, description } = role;
  return {
    id,
    name,
    domain_id: null,
    description,
    options: isBuiltIn(role) ? { immutable: true } : {},
    links: { self: `${base}/roles/${id}` },
  };
}

export function formatInference(base: string, { prior, implied }: Inference): object {
  return { prior_role: formatPrior(base, prior), implies: implied.map((role) => formatPrior(base, role)) };
}

export function formatPrior(base: string, { id, name }: RoleRow): object {
  return { id, name, links: { self: `${base}/roles/${id}` } };
}

export function formatAssignment(
  base: string,
  { user, role, prior, scope }: FoundAssignment,
  includeNames: boolean,
): object {
  const named = (id: string, name: string | null, more: object = {}): object =>
    includeNames ? { id, name, ...more } : { id };
  const domain = { domain: DEFAULT_DOMAIN };
  const place = scope.kind === 'system' ? '/system' : `/${scope.kind}s/${scope.id}`;
  const assigned = prior ?? role;
  const links = { assignment: `${base}${place}/users/${user.id}/roles/${assigned.id}` };
  return {
    role: named(role.id, role.name),
    user: named(user.id, user.name, domain),
    scope: {
      ...(scope.kind === 'system' ? { system: { all: true } } : {}),
      ...(scope.kind === 'domain' ? { domain: named(scope.id, DEFAULT_DOMAIN.name) } : {}),
      ...(scope.kind === 'project' ? { project: named(scope.id, scope.name, domain) } : {}),
    },
    links:
      prior === null ? links : { ...links, prior_role: `${base}/prior_role/${prior.id}/implies/${role.id}` },
  };
}

export interface Listed {
  base: string;
  /** As in `/users`. */
  path: string;
  /** The request's own text after `?`. */
  search: string;
  /** The id after which the next page begins, where there is one. */
  next?: string;
  limit?: number;
}

/** A list with Keystone's links; `truncated` where there is more than it shows. */
export function formatList(collection: string, items: readonly object[], listed: Listed): object {
  const { base, path, search, next, limit } = listed;
  const self = `${base}${path}${search === '' ? '' : `?${search}`}`;
  if (next === undefined) return { [collection]: items, links: { next: null, self, previous: null } };
  const query = new URLSearchParams(search);
  query.set('marker', next);
  if (limit !== undefined) query.set('limit', String(limit));
  return {
    [collection]: items,
    links: { next: `${base}${path}?${query.toString()}`, self, previous: null },
    truncated: true,
  };
}
