import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { MANAGEMENT } from './management-matrix.ts';

// Every route of the server × who asks × the status. A route that is missing here fails the last test.

const SECRET = 'SECRET';
const PEOPLE = [
  'anonymous',
  'no rights',
  'audit',
  'observer',
  'creator',
  'colleague',
  'admin',
  'stranger',
] as const;
type Who = (typeof PEOPLE)[number];

/**
 * In the order of PEOPLE: `creator` made the secret, `colleague` is another creator, `stranger` of another
 * project.
 */
const MATRIX: Record<string, number[]> = {
  'GET /': [300, 300, 300, 300, 300, 300, 300, 300],
  'GET /v1': [401, 200, 200, 200, 200, 200, 200, 200],
  'GET /healthcheck': [200, 200, 200, 200, 200, 200, 200, 200],
  'GET /health/live': [200, 200, 200, 200, 200, 200, 200, 200],
  'GET /health/ready': [200, 200, 200, 200, 200, 200, 200, 200],
  'GET /openapi.json': [200, 200, 200, 200, 200, 200, 200, 200],
  'GET /identity': [300, 300, 300, 300, 300, 300, 300, 300],
  'GET /identity/v3': [200, 200, 200, 200, 200, 200, 200, 200],
  'GET /identity/jwks': [200, 200, 200, 200, 200, 200, 200, 200],
  // 400 and 404: whoever may come in has sent no body, or no X-Subject-Token.
  'POST /identity/v3/auth/tokens': [400, 400, 400, 400, 400, 400, 400, 400],
  'GET /identity/v3/auth/tokens': [401, 404, 404, 404, 404, 404, 404, 404],
  'HEAD /identity/v3/auth/tokens': [401, 404, 404, 404, 404, 404, 404, 404],
  'DELETE /identity/v3/auth/tokens': [401, 404, 404, 404, 404, 404, 404, 404],
  // 401 and 400: no JWT was sent.
  'POST /identity/v3/OS-FEDERATION/identity_providers/{issuer}/protocols/{protocol}/auth': [
    401, 401, 401, 401, 401, 401, 401, 401,
  ],
  'POST /identity/oauth2/token': [400, 400, 400, 400, 400, 400, 400, 400],
  'GET /identity/v3/auth/catalog': [401, 200, 200, 200, 200, 200, 200, 200],
  // Public, and without a body.
  'POST /v2/redemptions': [415, 415, 415, 415, 415, 415, 415, 415],
  // The user is the creator, and there is no such credential or rule.
  'POST /identity/v3/users/{userId}/application_credentials': [401, 403, 403, 403, 400, 403, 403, 403],
  'GET /identity/v3/users/{userId}/application_credentials': [401, 403, 403, 403, 200, 403, 200, 200],
  'GET /identity/v3/users/{userId}/application_credentials/{id}': [401, 403, 403, 403, 404, 403, 404, 404],
  'DELETE /identity/v3/users/{userId}/application_credentials/{id}': [401, 403, 403, 403, 404, 403, 404, 404],
  'GET /identity/v3/users/{userId}/access_rules': [401, 403, 403, 403, 200, 403, 200, 200],
  'GET /identity/v3/users/{userId}/access_rules/{id}': [401, 403, 403, 403, 404, 403, 404, 404],
  'DELETE /identity/v3/users/{userId}/access_rules/{id}': [401, 403, 403, 403, 404, 403, 404, 404],
  'GET /identity/v3/auth/projects': [401, 200, 200, 200, 200, 200, 200, 200],
  'GET /identity/v3/auth/domains': [401, 200, 200, 200, 200, 200, 200, 200],
  'GET /identity/v3/auth/system': [401, 200, 200, 200, 200, 200, 200, 200],
  ...MANAGEMENT,
  'GET /v1/quotas': [401, 403, 200, 200, 200, 200, 200, 200],
  // 404: the configuration names no stores.
  'GET /v1/secret-stores': [401, 403, 404, 404, 404, 404, 404, 404],
  'GET /v1/secret-stores/global-default': [401, 403, 404, 404, 404, 404, 404, 404],
  'GET /v1/secret-stores/preferred': [401, 403, 404, 404, 404, 404, 404, 404],
  'GET /v1/secret-stores/{storeId}': [401, 404, 404, 404, 404, 404, 404, 404],
  'POST /v1/secret-stores/{storeId}/preferred': [401, 404, 404, 404, 404, 404, 404, 404],
  'DELETE /v1/secret-stores/{storeId}/preferred': [401, 404, 404, 404, 404, 404, 404, 404],
  // 404: the id is none.
  'GET /v1/transport_keys': [401, 403, 200, 200, 200, 200, 200, 200],
  'GET /v1/transport_keys/{transportKeyId}': [401, 404, 404, 404, 404, 404, 404, 404],
  // The service administrator's alone, and nobody here is one.
  'POST /v1/transport_keys': [401, 403, 403, 403, 403, 403, 403, 403],
  'DELETE /v1/transport_keys/{transportKeyId}': [401, 404, 404, 404, 404, 404, 404, 404],
  'GET /v1/project-quotas': [401, 403, 403, 403, 403, 403, 403, 403],
  'GET /v1/project-quotas/{projectId}': [401, 403, 403, 403, 403, 403, 403, 403],
  'PUT /v1/project-quotas/{projectId}': [401, 403, 403, 403, 403, 403, 403, 403],
  'DELETE /v1/project-quotas/{projectId}': [401, 403, 403, 403, 403, 403, 403, 403],
  // 415 and 404: the right is there, what was sent or asked for is not.
  'POST /v1/secrets': [401, 403, 403, 403, 415, 415, 415, 415],
  'GET /v1/secrets': [401, 403, 403, 200, 200, 200, 200, 200],
  'GET /v1/secrets/{secretId}': [401, 403, 200, 200, 200, 200, 200, 403],
  'GET /v1/secrets/{secretId}/payload': [401, 403, 403, 200, 200, 200, 200, 403],
  'PUT /v1/secrets/{secretId}': [401, 403, 403, 403, 415, 415, 415, 403],
  'GET /v1/secrets/{secretId}/metadata': [401, 403, 200, 200, 200, 200, 200, 403],
  'PUT /v1/secrets/{secretId}/metadata': [401, 403, 403, 403, 415, 415, 415, 403],
  'POST /v1/secrets/{secretId}/metadata': [401, 403, 403, 403, 415, 415, 415, 403],
  'GET /v1/secrets/{secretId}/metadata/{key}': [401, 403, 404, 404, 404, 404, 404, 403],
  'PUT /v1/secrets/{secretId}/metadata/{key}': [401, 403, 403, 403, 415, 415, 415, 403],
  'DELETE /v1/secrets/{secretId}/metadata/{key}': [401, 403, 403, 403, 204, 204, 204, 403],
  'GET /v1/secrets/{secretId}/acl': [401, 403, 403, 200, 200, 200, 200, 403],
  'PUT /v1/secrets/{secretId}/acl': [401, 403, 403, 403, 415, 415, 415, 403],
  'PATCH /v1/secrets/{secretId}/acl': [401, 403, 403, 403, 415, 415, 415, 403],
  'DELETE /v1/secrets/{secretId}/acl': [401, 403, 403, 403, 200, 200, 200, 403],
  'POST /v1/containers': [401, 403, 403, 403, 415, 415, 415, 415],
  'GET /v1/containers': [401, 403, 403, 200, 200, 200, 200, 200],
  'GET /v1/containers/{containerId}': [401, 403, 200, 200, 200, 200, 200, 403],
  'POST /v1/containers/{containerId}/secrets': [401, 403, 403, 403, 415, 415, 415, 403],
  'GET /v1/containers/{containerId}/acl': [401, 403, 403, 200, 200, 200, 200, 403],
  'PUT /v1/containers/{containerId}/acl': [401, 403, 403, 403, 415, 415, 415, 403],
  'PATCH /v1/containers/{containerId}/acl': [401, 403, 403, 403, 415, 415, 415, 403],
  'DELETE /v1/containers/{containerId}/acl': [401, 403, 403, 403, 200, 200, 200, 403],
  'GET /v1/containers/{containerId}/consumers': [401, 403, 200, 200, 200, 200, 200, 403],
  'POST /v1/containers/{containerId}/consumers': [401, 403, 415, 415, 415, 415, 415, 403],
  'DELETE /v1/containers/{containerId}/consumers': [401, 403, 415, 415, 415, 415, 415, 403],
  'GET /v1/containers/{containerId}/consumers/{consumerId}': [401, 404, 404, 404, 404, 404, 404, 404],
  // 400: there is no body.
  'DELETE /v1/containers/{containerId}/secrets': [401, 403, 403, 403, 400, 400, 400, 403],
  'DELETE /v1/containers/{containerId}': [401, 403, 403, 403, 204, 404, 404, 404],
  'GET /v1/secrets/{secretId}/consumers': [401, 403, 200, 200, 200, 200, 200, 403],
  'POST /v1/secrets/{secretId}/consumers': [401, 403, 415, 415, 415, 415, 415, 403],
  'DELETE /v1/secrets/{secretId}/consumers': [401, 403, 415, 415, 415, 415, 415, 403],
  // The text of an id that is none: nobody is told anything.
  'GET /v1/secrets/{secretId}/consumers/{consumerId}': [401, 404, 404, 404, 404, 404, 404, 404],
  'POST /v1/orders': [401, 403, 403, 403, 415, 415, 415, 415],
  'GET /v1/orders': [401, 403, 403, 200, 200, 200, 200, 200],
  'PUT /v1/orders': [401, 403, 403, 403, 405, 405, 405, 405],
  'GET /v1/orders/{orderId}': [401, 403, 200, 200, 200, 200, 200, 404],
  // What a creator made an administrator deletes.
  'DELETE /v1/orders/{orderId}': [401, 403, 403, 403, 403, 403, 204, 404],
  // The last that may deletes; those before it in the order only try.
  'DELETE /v1/secrets/{secretId}': [401, 403, 403, 403, 204, 404, 404, 404],
};

let coffer: StartedCoffer;
let people: Map<Who, Person>;
let secretId: string;
let orderId: string;
let containerId: string;

beforeAll(async () => {
  coffer = await startCoffer();
  const persons = await Promise.all([
    coffer.person(['manager'], 'owners'),
    coffer.person(['audit'], 'owners'),
    coffer.person(['observer'], 'owners'),
    coffer.person(['creator'], 'owners'),
    coffer.person(['creator'], 'owners'),
    coffer.person(['admin'], 'owners'),
    coffer.person(['creator', 'admin'], 'others'),
  ]);
  people = new Map(persons.map((person, index) => [PEOPLE[index + 1] as Who, person]));
  const stored = await people.get('creator')?.client.post('/v1/secrets', {
    payload: 'of the owners',
    payload_content_type: 'text/plain',
  });
  secretId = String(stored?.json.secret_ref).slice(-36);
  const made = await people.get('creator')?.client.post('/v1/containers', { type: 'generic' });
  containerId = String(made?.json.container_ref).slice(-36);
  const meta = { algorithm: 'aes', bit_length: 256 };
  const ordered = await people.get('creator')?.client.post('/v1/orders', { type: 'key', meta });
  orderId = String(ordered?.json.order_ref).slice(-36);
});

afterAll(async () => await coffer.stop());

describe.each(Object.entries(MATRIX))('%s', (route, statuses) => {
  it.each(PEOPLE.map((who, index) => [who, statuses[index]] as const))(
    'answers %s with %i',
    async (who, status) => {
      const [method = '', path = ''] = route.split(' ');
      const client = people.get(who)?.client ?? coffer.stranger;
      // Those of management are asked for things that are not there.
      const userId = route in MANAGEMENT ? '{userId}' : people.get('creator')?.userId;
      const address = path
        .replace('{userId}', userId ?? '')
        .replace('{secretId}', secretId)
        .replace('{containerId}', containerId)
        .replace('{orderId}', orderId)
        .replace('{key}', SECRET.toLowerCase());
      const reply = await client.send(method, address, { headers: { accept: undefined } });
      expect(reply.status).toBe(status);
    },
  );
});

it('has a line for every route that the server serves', async () => {
  const { paths } = (await coffer.stranger.get('/openapi.json')).json as { paths: Record<string, object> };
  const served = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(
      (method) => `${method.toUpperCase()} ${path.length > 1 ? path.replace(/\/$/, '') : path}`,
    ),
  );
  expect(served.filter((route) => MATRIX[route] === undefined)).toEqual([]);
  expect(served.length).toBeGreaterThan(20);
});
