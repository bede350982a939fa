import type { Action } from '../../src/policy/actions.ts';

/** Of Keystone's rules, as far as a token of a project meets them. */
export type IdentityGuard = 'admin' | 'admin or that user' | 'that user' | 'admin or that project' | 'token';

/** Who may come in, and what whoever may is answered: these requests have no body, and ask for no Accept. */
export type Line = readonly [guard: Action | IdentityGuard | 'public', status: number];

const V3 = '/identity/v3';
const USER = `${V3}/users/{userId}`;
const collections = ['projects', 'users', 'roles', 'domains', 'groups', 'services', 'endpoints'];
const grants = [
  `${V3}/projects/{projectId}/users/{userId}/roles`,
  `${V3}/domains/{domainId}/users/{userId}/roles`,
  `${V3}/system/users/{userId}/roles`,
];

const linesFor = (routes: readonly string[], line: Line): Record<string, Line> =>
  Object.fromEntries(routes.map((route) => [route, line]));

const open: Record<string, Line> = {
  'GET /': ['public', 300],
  'GET /healthcheck': ['public', 200],
  'GET /health/live': ['public', 200],
  'GET /health/ready': ['public', 200],
  'GET /openapi.json': ['public', 200],
  'GET /identity': ['public', 300],
  'GET /identity/v3': ['public', 200],
  'GET /identity/jwks': ['public', 200],
  'POST /identity/v3/auth/tokens': ['public', 400],
  // 401 and 400: no JWT was sent, which is what these take for a token.
  'POST /identity/v3/OS-FEDERATION/identity_providers/{issuer}/protocols/{protocol}/auth': ['public', 401],
  'POST /identity/oauth2/token': ['public', 400],
  'GET /v2/sys/unseal': ['public', 200],
  'POST /v2/sys/unseal': ['public', 415],
  'POST /v2/redemptions': ['public', 415],
};

const identity: Record<string, Line> = {
  // 404: no X-Subject-Token.
  ...linesFor(
    ['GET', 'HEAD', 'DELETE'].map((method) => `${method} ${V3}/auth/tokens`),
    ['token', 404],
  ),
  ...linesFor(
    ['catalog', 'projects', 'domains', 'system'].map((what) => `GET ${V3}/auth/${what}`),
    ['token', 200],
  ),
  // 404: there is no such credential or rule.
  [`POST ${USER}/application_credentials`]: ['that user', 400],
  [`GET ${USER}/application_credentials`]: ['admin or that user', 200],
  [`GET ${USER}/application_credentials/{id}`]: ['admin or that user', 404],
  [`DELETE ${USER}/application_credentials/{id}`]: ['admin or that user', 404],
  [`GET ${USER}/access_rules`]: ['admin or that user', 200],
  [`GET ${USER}/access_rules/{id}`]: ['admin or that user', 404],
  [`DELETE ${USER}/access_rules/{id}`]: ['admin or that user', 404],
  [`GET ${USER}`]: ['admin or that user', 200],
  [`GET ${USER}/projects`]: ['admin or that user', 200],
  [`GET ${USER}/groups`]: ['admin or that user', 200],
  [`POST ${USER}/password`]: ['admin or that user', 400],
  [`PATCH ${USER}`]: ['admin', 400],
  [`POST ${V3}/users`]: ['admin', 400],
  [`POST ${V3}/projects`]: ['admin', 400],
  [`GET ${V3}/projects/{projectId}`]: ['admin or that project', 200],
  [`PATCH ${V3}/projects/{projectId}`]: ['admin', 400],
  [`GET ${V3}/projects/{projectId}/tags`]: ['admin or that project', 200],
  // 404: the tag is none.
  [`GET ${V3}/projects/{projectId}/tags/{tag}`]: ['admin or that project', 404],
  [`PUT ${V3}/projects/{projectId}/tags`]: ['admin', 400],
  [`DELETE ${V3}/projects/{projectId}/tags`]: ['admin', 204],
  [`DELETE ${V3}/projects/{projectId}/tags/{tag}`]: ['admin', 404],
  [`PUT ${V3}/projects/{projectId}/tags/{tag}`]: ['admin', 201],
  [`DELETE ${USER}`]: ['admin', 404],
  [`DELETE ${V3}/projects/{projectId}`]: ['admin', 404],
  ...linesFor(
    collections.map((collection) => `GET ${V3}/${collection}`),
    ['admin', 200],
  ),
  [`GET ${V3}/role_inferences`]: ['admin', 200],
  [`GET ${V3}/role_assignments`]: ['admin', 200],
  // From here on 404: the role is none.
  ...Object.fromEntries(
    grants.flatMap((path) => [
      [`GET ${path}`, ['admin', 404]],
      ...['GET', 'HEAD', 'PUT', 'DELETE'].map((method) => [`${method} ${path}/{roleId}`, ['admin', 404]]),
    ]),
  ),
  [`POST ${V3}/roles`]: ['admin', 400],
  ...linesFor(
    ['GET', 'PATCH', 'DELETE'].map((method) => `${method} ${V3}/roles/{roleId}`),
    ['admin', 404],
  ),
  [`GET ${V3}/roles/{roleId}/implies`]: ['admin', 404],
  ...linesFor(
    ['GET', 'HEAD', 'PUT', 'DELETE'].map((method) => `${method} ${V3}/roles/{roleId}/implies/{impliedId}`),
    ['admin', 404],
  ),
  // There is one domain, and nobody makes another.
  [`POST ${V3}/domains`]: ['admin', 403],
  [`GET ${V3}/domains/{domainId}`]: ['token', 404],
  [`PATCH ${V3}/domains/{domainId}`]: ['admin', 404],
  [`DELETE ${V3}/domains/{domainId}`]: ['admin', 404],
  [`GET ${V3}/groups/{groupId}`]: ['admin', 404],
  [`GET ${V3}/services/{entryId}`]: ['admin', 404],
  [`GET ${V3}/endpoints/{entryId}`]: ['admin', 404],
  [`GET ${V3}/regions`]: ['token', 200],
  [`GET ${V3}/regions/{entryId}`]: ['token', 404],
};

const service: Record<string, Line> = {
  'GET /v1': ['token', 200],
  'GET /v1/quotas': ['quotas:get', 200],
  'GET /v1/project-quotas': ['project_quotas:get', 200],
  // 404: the project has no limits of its own.
  'GET /v1/project-quotas/{projectId}': ['project_quotas:get', 404],
  'PUT /v1/project-quotas/{projectId}': ['project_quotas:put', 415],
  'DELETE /v1/project-quotas/{projectId}': ['project_quotas:delete', 404],
  'GET /v1/secret-stores': ['secretstores:get', 200],
  'GET /v1/secret-stores/global-default': ['secretstores:get_global_default', 200],
  'GET /v1/secret-stores/preferred': ['secretstores:get_preferred', 200],
  'GET /v1/secret-stores/{storeId}': ['secretstore:get', 200],
  'POST /v1/secret-stores/{storeId}/preferred': ['secretstore_preferred:post', 204],
  'DELETE /v1/secret-stores/{storeId}/preferred': ['secretstore_preferred:delete', 204],
  'GET /v1/transport_keys': ['transport_keys:get', 200],
  'POST /v1/transport_keys': ['transport_keys:post', 415],
  // 404: there is no such key.
  'GET /v1/transport_keys/{transportKeyId}': ['transport_key:get', 404],
  'DELETE /v1/transport_keys/{transportKeyId}': ['transport_key:delete', 404],
};

const SECRET = '/v1/secrets/{secretId}';
const CONTAINER = '/v1/containers/{containerId}';

const things: Record<string, Line> = {
  'POST /v1/secrets': ['secrets:post', 415],
  'GET /v1/secrets': ['secrets:get', 200],
  [`GET ${SECRET}`]: ['secret:get', 200],
  [`GET ${SECRET}/payload`]: ['secret:decrypt', 200],
  [`PUT ${SECRET}`]: ['secret:put', 415],
  [`DELETE ${SECRET}`]: ['secret:delete', 204],
  [`GET ${SECRET}/metadata`]: ['secret_meta:get', 200],
  [`PUT ${SECRET}/metadata`]: ['secret_meta:put', 415],
  [`POST ${SECRET}/metadata`]: ['secret_meta:post', 415],
  // 404: there is no such key.
  [`GET ${SECRET}/metadata/{key}`]: ['secret_meta:get', 404],
  [`PUT ${SECRET}/metadata/{key}`]: ['secret_meta:put', 415],
  [`DELETE ${SECRET}/metadata/{key}`]: ['secret_meta:delete', 204],
  [`GET ${SECRET}/acl`]: ['secret_acls:get', 200],
  [`PUT ${SECRET}/acl`]: ['secret_acls:put_patch', 415],
  [`PATCH ${SECRET}/acl`]: ['secret_acls:put_patch', 415],
  [`DELETE ${SECRET}/acl`]: ['secret_acls:delete', 200],
  [`GET ${SECRET}/consumers`]: ['secret_consumers:get', 200],
  [`POST ${SECRET}/consumers`]: ['secret_consumers:post', 415],
  [`DELETE ${SECRET}/consumers`]: ['secret_consumers:delete', 415],
  // 404: ids of consumers are never shown.
  [`GET ${SECRET}/consumers/{consumerId}`]: ['consumer:get', 404],
  'POST /v1/containers': ['containers:post', 415],
  'GET /v1/containers': ['containers:get', 200],
  [`GET ${CONTAINER}`]: ['container:get', 200],
  [`DELETE ${CONTAINER}`]: ['container:delete', 204],
  [`POST ${CONTAINER}/secrets`]: ['container_secret:post', 415],
  [`DELETE ${CONTAINER}/secrets`]: ['container_secret:delete', 400],
  [`GET ${CONTAINER}/acl`]: ['container_acls:get', 200],
  [`PUT ${CONTAINER}/acl`]: ['container_acls:put_patch', 415],
  [`PATCH ${CONTAINER}/acl`]: ['container_acls:put_patch', 415],
  [`DELETE ${CONTAINER}/acl`]: ['container_acls:delete', 200],
  [`GET ${CONTAINER}/consumers`]: ['container_consumers:get', 200],
  [`POST ${CONTAINER}/consumers`]: ['container_consumers:post', 415],
  [`DELETE ${CONTAINER}/consumers`]: ['container_consumers:delete', 415],
  [`GET ${CONTAINER}/consumers/{consumerId}`]: ['consumer:get', 404],
  'POST /v1/orders': ['orders:post', 415],
  'GET /v1/orders': ['orders:get', 200],
  // Nothing of an order can be changed.
  'PUT /v1/orders': ['orders:put', 405],
  'GET /v1/orders/{orderId}': ['order:get', 200],
  'DELETE /v1/orders/{orderId}': ['order:delete', 204],
};

/** Of identity and of health, each GET answers HEAD too, with its own status. */
const heads: Record<string, Line> = Object.fromEntries(
  Object.entries({ ...open, ...identity })
    .filter(([route]) => /^GET \/(identity|health)/.test(route))
    .map(([route, line]) => [route.replace('GET', 'HEAD'), line]),
);

/** Every route of the server. */
export const LINES: Readonly<Record<string, Line>> = {
  ...open,
  ...heads,
  ...identity,
  ...service,
  ...things,
};
