import { CofferError } from '../../errors.ts';
import { DEFAULT_DOMAIN } from '../keystone-requests.ts';

export type Query = Readonly<Record<string, string>>;

const COMPARISONS = ['contains', 'startswith', 'endswith', 'icontains', 'istartswith', 'iendswith'] as const;

export interface ListFilter {
  name?: string;
  /** Part of a name: `name__contains=…`. */
  like?: { how: (typeof COMPARISONS)[number]; text: string };
  enabled?: boolean;
  /** The id after which the page begins. */
  marker?: string;
  limit: number;
}

/** More than fit on a page are cut, and the answer says `truncated`. */
export const LIST_MAX = 1_000;
const FALSE = new Set(['0', 'f', 'false', 'off', 'n', 'no']);

/** Undefined where the filter names a domain in which there is nothing. @throws CofferError `bad_request`. */
export function parseListFilter(query: Query): ListFilter | undefined {
  if (!isDefaultDomain(query.domain_id)) return undefined;
  const how = COMPARISONS.find((comparison) => query[`name__${comparison}`] !== undefined);
  return {
    ...(query.name === undefined ? {} : { name: query.name }),
    ...(how === undefined ? {} : { like: { how, text: query[`name__${how}`] ?? '' } }),
    ...(query.enabled === undefined ? {} : { enabled: parseTruth(query.enabled) }),
    ...(query.marker ? { marker: query.marker } : {}),
    limit: parseLimit(query.limit),
  };
}

/** As Keystone's resources read a flag: only what says no is false. */
export function parseTruth(text: string): boolean {
  return !FALSE.has(text.toLowerCase());
}

export function isDefaultDomain(domainId: string | undefined): boolean {
  return domainId === undefined || domainId === DEFAULT_DOMAIN.id;
}

/** `?effective` and `?effective=1`, but not `?effective=0`. */
export function isSet(query: Query, name: string): boolean {
  return query[name] !== undefined && query[name] !== '0';
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return LIST_MAX;
  if (!/^[1-9]\d{0,9}$/.test(text)) {
    throw new CofferError('bad_request', "Invalid input for field 'limit': it is a number from 1.");
  }
  return Math.min(Number(text), LIST_MAX);
}
