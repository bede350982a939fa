import { createHash } from 'node:crypto';
import { formatKeystoneTime } from '../http/timestamps.ts';
import { expandRoles } from '../policy/actor.ts';
import type { RoleRow } from '../db/schema.ts';
import type { TokenClaims } from './claims.ts';
import { DEFAULT_DOMAIN } from './keystone-requests.ts';
import type { Rights } from './rights.ts';

export interface CatalogOptions {
  publicUrl: string;
  region: string;
}

export interface CatalogService {
  id: string;
  type: string;
  name: string;
  endpoints: { id: string; interface: string; region: string; region_id: string; url: string }[];
}

/**
 * The services and endpoints, from the configuration alone. Ids are stable: they are made of what they name.
 */
export function formatCatalog({ publicUrl, region }: CatalogOptions): CatalogService[] {
  const service = (type: string, name: string, url: string): CatalogService => ({
    id: stableId(`service/${type}`),
    type,
    name,
    endpoints: ['public', 'internal', 'admin'].map((kind) => ({
      id: stableId(`endpoint/${type}/${kind}`),
      interface: kind,
      region,
      region_id: region,
      url,
    })),
  });
  return [
    service('identity', 'keystone', `${publicUrl}/identity/v3`),
    // Without a version: clients add it, or discover it.
    service('key-manager', 'barbican', publicUrl),
  ];
}

/** The body that describes a token (contract §6.4); `allRoles` gives the implied ones their ids. */
export function formatToken(
  claims: TokenClaims,
  rights: Rights,
  allRoles: readonly RoleRow[],
  catalog: object[] | undefined,
): object {
  const { user } = rights;
  const roles = expandRoles(rights.roles.map(({ name }) => name)).map((name) => ({
    id: [...rights.roles, ...allRoles].find((role) => role.name === name)?.id ?? stableId(`role/${name}`),
    name,
  }));
  return {
    token: {
      methods: claims.methods,
      user: {
        id: user.id,
        name: user.name,
        domain: DEFAULT_DOMAIN,
        password_expires_at: null,
        ...formatFederation(claims, rights),
      },
      audit_ids: claims.audit_ids,
      issued_at: formatKeystoneTime(new Date(claims.iat * 1000)),
      expires_at: formatKeystoneTime(new Date(claims.exp * 1000)),
      ...formatScope(rights),
      ...formatApplication(rights),
      ...(rights.scope.kind === 'unscoped' ? {} : { roles }),
      ...(rights.scope.kind === 'unscoped' || catalog === undefined ? {} : { catalog }),
    },
  };
}

/** Keystone's name for where a federated user came from. */
function formatFederation({ methods }: TokenClaims, { issuer }: Rights): object {
  if (issuer === undefined) return {};
  const protocol = { id: methods[0] };
  return { 'OS-FEDERATION': { identity_provider: { id: issuer.name }, protocol, groups: [] } };
}

function formatScope({ scope, project }: Rights): object {
  if (scope.kind === 'system') return { system: { all: true } };
  if (scope.kind === 'domain') return { domain: DEFAULT_DOMAIN };
  if (project === null) return {};
  return { project: { id: project.id, name: project.name, domain: DEFAULT_DOMAIN }, is_domain: false };
}

function formatApplication({ application }: Rights): object {
  if (application === undefined) return {};
  const { row, accessRules } = application;
  return {
    application_credential: {
      id: row.id,
      name: row.name,
      restricted: !row.unrestricted,
      ...(accessRules === null ? {} : { access_rules: accessRules }),
    },
  };
}

/** The version document of `/identity/v3`, and in the list of `/identity`. */
export function formatVersion(publicUrl: string): object {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${publicUrl}/identity/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  };
}

function stableId(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
