export interface PageLimits {
  pageDefault: number;
  pageMax: number;
}

export interface Page {
  offset: number;
  limit: number;
}

export type Query = Readonly<Record<string, string>>;

const decimal = /^\s*[+-]?\d+\s*$/;

function parseWhole(text: string | undefined): number | undefined {
  return text !== undefined && decimal.test(text) ? Number(text) : undefined;
}

/** Never refuses: what cannot be read takes its default, what is out of range is brought into it. */
export function readPage(query: Query, limits: PageLimits): Page {
  const offset = parseWhole(query.offset) ?? 0;
  const limit = parseWhole(query.limit) ?? limits.pageDefault;
  return {
    offset: offset > 0 && Number.isSafeInteger(offset) ? offset : 0,
    limit: Math.min(Math.max(limit, 1), limits.pageMax),
  };
}

export interface Listing<Item> {
  items: readonly Item[];
  /** Of all matches, not of this page. */
  total: number;
}

export interface Listed {
  publicUrl: string;
  /** As in `/v1/secrets`. */
  path: string;
  query: Query;
  page: Page;
}

/** `{ [collection]: items, previous?, next?, total }`; the links keep the filters of the request. */
export function envelope<Item>(
  collection: string,
  listing: Listing<Item>,
  asked: Listed,
): Record<string, unknown> {
  const { offset, limit } = asked.page;
  const body: Record<string, unknown> = { [collection]: listing.items };
  if (offset > 0 && listing.items.length > 0) body.previous = pageLink(asked, Math.max(0, offset - limit));
  if (offset + limit < listing.total) body.next = pageLink(asked, offset + limit);
  body.total = listing.total;
  return body;
}

function pageLink(asked: Listed, offset: number): string {
  const query = new URLSearchParams({ limit: String(asked.page.limit), offset: String(offset) });
  for (const [name, value] of Object.entries(asked.query)) {
    if (name !== 'limit' && name !== 'offset') query.append(name, value);
  }
  return `${asked.publicUrl}${asked.path}?${query.toString()}`;
}
