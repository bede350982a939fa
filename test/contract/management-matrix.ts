// The routes of identity management in the authorization matrix. None of these people has a token of the
// domain or of the system: test/policy/rules-identity.test.ts has those. An id that is no id is answered 404
// to whoever may ask, and 403 to all others.

/** Only the two who have the role admin get as far as this status. */
const admins = (status: number): number[] => [401, 403, 403, 403, 403, 403, status, status];
const all = (status: number): number[] => [401, ...Array<number>(7).fill(status)];

const V3 = '/identity/v3';
const collections = ['projects', 'users', 'roles', 'domains', 'groups', 'services', 'endpoints'];
const grants = [
  `${V3}/projects/{projectId}/users/{userId}/roles`,
  `${V3}/domains/{domainId}/users/{userId}/roles`,
  `${V3}/system/users/{userId}/roles`,
];

export const MANAGEMENT: Record<string, number[]> = {
  ...Object.fromEntries(collections.map((collection) => [`GET ${V3}/${collection}`, admins(200)])),
  ...Object.fromEntries(
    grants.flatMap((path) => [
      [`GET ${path}`, admins(404)],
      ...['GET', 'HEAD', 'PUT', 'DELETE'].map((method) => [`${method} ${path}/{roleId}`, admins(404)]),
    ]),
  ),
  // 400: there is no body.
  [`POST ${V3}/projects`]: admins(400),
  [`GET ${V3}/projects/{projectId}`]: admins(404),
  [`PATCH ${V3}/projects/{projectId}`]: admins(404),
  [`DELETE ${V3}/projects/{projectId}`]: admins(404),
  ...Object.fromEntries(
    ['GET', 'PUT', 'DELETE'].flatMap((method) =>
      ['', '/{tag}'].map((tag) => [`${method} ${V3}/projects/{projectId}/tags${tag}`, admins(404)]),
    ),
  ),
  [`POST ${V3}/users`]: admins(400),
  [`GET ${V3}/users/{userId}`]: admins(404),
  [`PATCH ${V3}/users/{userId}`]: admins(404),
  [`DELETE ${V3}/users/{userId}`]: admins(404),
  [`GET ${V3}/users/{userId}/projects`]: admins(404),
  [`GET ${V3}/users/{userId}/groups`]: admins(404),

  [`POST ${V3}/users/{userId}/password`]: admins(400),
  [`POST ${V3}/roles`]: admins(400),
  [`GET ${V3}/roles/{roleId}`]: admins(404),
  [`PATCH ${V3}/roles/{roleId}`]: admins(404),
  [`DELETE ${V3}/roles/{roleId}`]: admins(404),
  [`GET ${V3}/role_inferences`]: admins(200),
  [`GET ${V3}/roles/{roleId}/implies`]: admins(404),
  [`GET ${V3}/roles/{roleId}/implies/{impliedId}`]: admins(404),
  [`HEAD ${V3}/roles/{roleId}/implies/{impliedId}`]: admins(404),
  [`PUT ${V3}/roles/{roleId}/implies/{impliedId}`]: admins(404),
  [`DELETE ${V3}/roles/{roleId}/implies/{impliedId}`]: admins(404),
  [`GET ${V3}/role_assignments`]: admins(200),
  // There is one domain, and nobody makes another.
  [`POST ${V3}/domains`]: admins(403),
  [`GET ${V3}/domains/{domainId}`]: all(404),
  [`PATCH ${V3}/domains/{domainId}`]: admins(404),
  [`DELETE ${V3}/domains/{domainId}`]: admins(404),
  [`GET ${V3}/groups/{groupId}`]: admins(404),
  [`GET ${V3}/services/{entryId}`]: admins(404),
  [`GET ${V3}/endpoints/{entryId}`]: admins(404),
  [`GET ${V3}/regions`]: all(200),
  [`GET ${V3}/regions/{entryId}`]: all(404),
};
