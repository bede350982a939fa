import { CofferError } from '../../errors.ts';
import { described } from '../../http/documentation.ts';
import type { IdentityAction } from '../../policy/rules-identity.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';
import { nameKey } from '../names.ts';
import { missing } from '../rows.ts';
import { answerList, type Desk, manageFor, type Query } from './asking.ts';
import { parseTruth } from './filters.ts';
import { describe } from './openapi.ts';
import { formatDomain } from './wire.ts';

type DomainRoute = { Params: { domainId: string } };
type GroupRoute = { Params: { groupId: string } };
const DOMAINS = '/identity/v3/domains';
const GROUPS = '/identity/v3/groups';

export function registerDomainRoutes(desk: Desk): void {
  const { app, base } = desk;

  app.get<{ Querystring: Query }>(
    DOMAINS,
    {
      config: { action: 'identity:list_domains' },
      ...described(
        describe('List domains: there is one', { query: ['name', 'enabled'], done: { 200: 'The domain' } }),
      ),
    },
    async (request) => {
      const { name, enabled } = request.query;
      manageFor(desk, request).require('identity:list_domains', { domainId: DEFAULT_DOMAIN.id });
      const isAsked =
        (name === undefined || nameKey(name) === nameKey(DEFAULT_DOMAIN.name)) &&
        (enabled === undefined || parseTruth(enabled));
      return answerList(desk, request, 'domains', isAsked ? [formatDomain(base)] : []);
    },
  );

  app.get<DomainRoute>(
    `${DOMAINS}/:domainId`,
    {
      config: { action: 'identity:get_domain' },
      ...described(
        describe('Show the domain', { params: ['domainId'], done: { 200: 'The domain' }, refused: [404] }),
      ),
    },
    async (request) => {
      const { domainId } = request.params;
      manageFor(desk, request).require('identity:get_domain', { domainId });
      return domainId === DEFAULT_DOMAIN.id ? { domain: formatDomain(base) } : missing('domain', domainId);
    },
  );

  registerReadOnly(desk);
  registerGroups(desk);
}

function registerReadOnly(desk: Desk): void {
  const { app } = desk;
  const refusal = (action: IdentityAction, summary: string, params: readonly string[]) => ({
    config: { action },
    ...described(describe(`${summary}: refused`, { params, done: {}, refused: [404] })),
  });
  const refuse = (): never => {
    throw new CofferError('forbidden', `There is one domain, ${DEFAULT_DOMAIN.name}, and it is read-only.`);
  };

  app.post(DOMAINS, refusal('identity:create_domain', 'Make a domain', []), async (request) => {
    manageFor(desk, request).require('identity:create_domain');
    return refuse();
  });
  const one = `${DOMAINS}/:domainId`;
  const params = ['domainId'];
  app.patch<DomainRoute>(
    one,
    refusal('identity:update_domain', 'Change a domain', params),
    async (request) => {
      manageFor(desk, request).require('identity:update_domain');
      return request.params.domainId === DEFAULT_DOMAIN.id
        ? refuse()
        : missing('domain', request.params.domainId);
    },
  );
  app.delete<DomainRoute>(
    one,
    refusal('identity:delete_domain', 'Delete a domain', params),
    async (request) => {
      manageFor(desk, request).require('identity:delete_domain');
      return request.params.domainId === DEFAULT_DOMAIN.id
        ? refuse()
        : missing('domain', request.params.domainId);
    },
  );
}

/** Clients ask whether a name is a group's before they take it for a user's. */
function registerGroups(desk: Desk): void {
  const { app } = desk;

  app.get(
    GROUPS,
    {
      config: { action: 'identity:list_groups' },
      ...described(describe('List groups: there are none', { done: { 200: 'No group' } })),
    },
    async (request) => {
      manageFor(desk, request).require('identity:list_groups', { domainId: DEFAULT_DOMAIN.id });
      return answerList(desk, request, 'groups', []);
    },
  );

  app.get<GroupRoute>(
    `${GROUPS}/:groupId`,
    {
      config: { action: 'identity:get_group' },
      ...described(
        describe('Show a group: there are none', { params: ['groupId'], done: {}, refused: [404] }),
      ),
    },
    async (request) => {
      manageFor(desk, request).require('identity:get_group', { domainId: DEFAULT_DOMAIN.id });
      return missing('group', request.params.groupId);
    },
  );
}
