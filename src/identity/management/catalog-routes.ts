import { described } from '../../http/documentation.ts';
import type { IdentityAction } from '../../policy/rules-identity.ts';
import { type CatalogOptions, formatCatalog } from '../keystone-wire.ts';
import { missing } from '../rows.ts';
import { answerList, type Desk, manageFor, type Query } from './asking.ts';
import { describe } from './openapi.ts';

type Entry = Readonly<Record<string, unknown>> & { id: string };

interface Catalog {
  services: Entry[];
  endpoints: Entry[];
  regions: Entry[];
}

/** The catalog of a token, taken apart: as the configuration has it, and read-only. */
function readCatalog(options: CatalogOptions, base: string): Catalog {
  const services = formatCatalog(options);
  const linked = (collection: string, entry: Entry): Entry => {
    return { ...entry, links: { self: `${base}/${collection}/${entry.id}` } };
  };
  return {
    services: services.map(({ id, type, name }) =>
      linked('services', { id, type, name, description: DESCRIPTIONS[type] ?? '', enabled: true }),
    ),
    endpoints: services.flatMap(({ id, endpoints }) =>
      endpoints.map((endpoint) => linked('endpoints', { ...endpoint, service_id: id, enabled: true })),
    ),
    regions: [linked('regions', { id: options.region, description: '', parent_region_id: null })],
  };
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  identity: 'Projects, users, roles and tokens',
  'key-manager': 'Secrets',
};

interface View {
  collection: keyof Catalog;
  member: string;
  filters: readonly string[];
  list: IdentityAction;
  get: IdentityAction;
}

const VIEWS: readonly View[] = [
  {
    collection: 'services',
    member: 'service',
    filters: ['type', 'name'],
    list: 'identity:list_services',
    get: 'identity:get_service',
  },
  {
    collection: 'endpoints',
    member: 'endpoint',
    filters: ['interface', 'service_id', 'region_id'],
    list: 'identity:list_endpoints',
    get: 'identity:get_endpoint',
  },
  {
    collection: 'regions',
    member: 'region',
    filters: ['parent_region_id'],
    list: 'identity:list_regions',
    get: 'identity:get_region',
  },
];

export function registerCatalogRoutes(desk: Desk): void {
  const catalog = readCatalog(desk.coffer, desk.base);
  for (const view of VIEWS) registerView(desk, view, catalog[view.collection]);
}

function registerView(desk: Desk, view: View, entries: readonly Entry[]): void {
  const { collection, member, filters } = view;
  const path = `/identity/v3/${collection}`;

  desk.app.get<{ Querystring: Query }>(
    path,
    {
      config: { action: view.list },
      ...described(
        describe(`List ${collection}, as the configuration has them`, {
          query: filters,
          done: { 200: `The ${collection}` },
        }),
      ),
    },
    async (request) => {
      manageFor(desk, request).require(view.list);
      const { query } = request;
      const matching = entries.filter((entry) =>
        filters.every((name) => query[name] === undefined || entry[name] === query[name]),
      );
      return answerList(desk, request, collection, matching);
    },
  );

  desk.app.get<{ Params: { entryId: string } }>(
    `${path}/:entryId`,
    {
      config: { action: view.get },
      ...described(
        describe(`Show a ${member}`, { params: ['entryId'], done: { 200: `The ${member}` }, refused: [404] }),
      ),
    },
    async (request) => {
      manageFor(desk, request).require(view.get);
      const { entryId } = request.params;
      return { [member]: entries.find(({ id }) => id === entryId) ?? missing(member, entryId) };
    },
  );
}
