import { CofferError } from '../errors.ts';
import { parseIsoTime } from './expiration.ts';

export const SORT_KEYS = [
  'algorithm',
  'bit_length',
  'created',
  'expiration',
  'mode',
  'name',
  'secret_type',
  'status',
  'updated',
] as const;
type SortKey = (typeof SORT_KEYS)[number];

interface SortOrder {
  key: SortKey;
  direction: 'asc' | 'desc';
}

type Comparison = 'gt' | 'gte' | 'lt' | 'lte' | 'eq';

export interface DateBound {
  comparison: Comparison;
  date: Date;
}

/** In `name`, `alg` and `mode` a `%` or `_` is a wildcard, and a backslash no more than a backslash. */
export interface SecretFilter {
  name?: string;
  alg?: string;
  mode?: string;
  bits?: bigint;
  secretType?: string;
  aclOnly: boolean;
  created: readonly DateBound[];
  updated: readonly DateBound[];
  expiration: readonly DateBound[];
  sort: readonly SortOrder[];
}

export type SecretQuery = Readonly<Record<string, string | readonly string[] | undefined>>;

const PATTERN_LENGTH_MAX = 1024;
/** Longer than any secret has, so that the filter finds none, and within every integer type. */
const BITS_MAX = 2n ** 31n - 1n;

/** Of a parameter that is repeated the last one counts; an empty one is as good as none. */
export function parseSecretFilter(query: SecretQuery): SecretFilter {
  const name = read(query, 'name');
  const [alg, mode, secretType] = [read(query, 'alg'), read(query, 'mode'), read(query, 'secret_type')];
  const bits = parseBits(read(query, 'bits'));
  return {
    ...(name === undefined ? {} : { name: storable(unquoteAgain(name)) }),
    ...(alg === undefined ? {} : { alg: storable(alg) }),
    ...(mode === undefined ? {} : { mode: storable(mode) }),
    ...(bits === undefined ? {} : { bits }),
    ...(secretType === undefined ? {} : { secretType: storable(secretType) }),
    aclOnly: read(query, 'acl_only')?.toLowerCase() === 'true',
    created: parseBounds(read(query, 'created')),
    updated: parseBounds(read(query, 'updated')),
    expiration: parseBounds(read(query, 'expiration')),
    sort: parseSort(read(query, 'sort')),
  };
}

function refusal(): CofferError {
  return new CofferError('bad_request', 'URI provided invalid query string parameters.');
}

function read(query: SecretQuery, key: string): string | undefined {
  const value = query[key];
  const last = typeof value === 'string' || value === undefined ? value : value.at(-1);
  return last === '' ? undefined : last;
}

function storable(text: string): string {
  if (text.length > PATTERN_LENGTH_MAX || /\0|\p{Surrogate}/u.test(text)) throw refusal();
  return text;
}

/** Barbican decodes the name a second time; what is no encoding of UTF-8 stays, for `%` is a wildcard too. */
function unquoteAgain(text: string): string {
  return text.replaceAll('+', ' ').replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}

/** What is no number, or not above zero, filters nothing. */
function parseBits(text: string | undefined): bigint | undefined {
  const digits = /^\s*\+?(\d{1,1024})\s*$/.exec(text ?? '')?.[1];
  if (digits === undefined) return undefined;
  const bits = BigInt(digits);
  if (bits === 0n) return undefined;
  return bits > BITS_MAX ? BITS_MAX : bits;
}

/** Which bounds, already given, contradict another one: Barbican's table, which depends on the order. */
const CONTRADICTIONS: Readonly<Record<Comparison, readonly Comparison[]>> = {
  gt: ['gt', 'gte'],
  gte: ['gt', 'gte', 'eq'],
  lt: ['lt', 'lte'],
  lte: ['lt', 'lte', 'eq'],
  eq: ['eq', 'gte', 'lte'],
};

function parseBounds(text: string | undefined): DateBound[] {
  const bounds: DateBound[] = [];
  for (const part of text?.split(',') ?? []) {
    const [, prefix, time = ''] = /^(?:(gte?|lte?):)?(.*)$/s.exec(part) ?? [];
    const comparison = (prefix ?? 'eq') as Comparison;
    const date = parseIsoTime(time);
    const refused = CONTRADICTIONS[comparison];
    if (date === undefined || bounds.some((bound) => refused.includes(bound.comparison))) throw refusal();
    bounds.push({ comparison, date });
  }
  return bounds;
}

function parseSort(text: string | undefined): SortOrder[] {
  const orders: SortOrder[] = [];
  for (const part of text?.split(',') ?? []) {
    const [key, direction = 'asc', ...rest] = part.split(':');
    const known = SORT_KEYS.find((sortKey) => sortKey === key);
    if (known === undefined || (direction !== 'asc' && direction !== 'desc') || rest.length > 0)
      throw refusal();
    if (orders.some((order) => order.key === known)) throw refusal();
    orders.push({ key: known, direction });
  }
  return orders;
}
