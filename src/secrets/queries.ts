import { type ExpressionBuilder, type SelectQueryBuilder, sql } from 'kysely';
import { sealedColumns } from '../db/layouts.ts';
import type { Lookup } from '../db/lookup.ts';
import type { Db } from '../db/open.ts';
import type { SecretRow, Tables } from '../db/schema.ts';
import type { DateBound, SecretFilter } from './list-filter.ts';

/** What the database adds to a row: whether its own clock says that the secret is past its end. */
export type FoundSecret = SecretRow & { ended: boolean | null };

const COLUMNS = sealedColumns('secrets');
const SELECTED = COLUMNS.map((name) => `secrets.${name}`).join(', ');
const ENDED = 'secrets.expiration <= now() AS ended';
const FROM_KEYS = 'FROM unnest($1::uuid[]) AS asked JOIN secrets ON secrets.id = asked';

const SECRET_BY_ID: Lookup<FoundSecret> = {
  name: 'secret-by-id',
  text: `SELECT asked::text AS asked, ${SELECTED}, ${ENDED} ${FROM_KEYS}`,
};

const SECRET_WITH_PAYLOAD_BY_ID: Lookup<FoundSecret & { payload_body: Uint8Array | null }> = {
  name: 'secret-with-payload-by-id',
  text: `SELECT asked::text AS asked, ${SELECTED}, ${ENDED}, secrets.payload_body ${FROM_KEYS}`,
};

export async function findSecret(db: Db, id: string): Promise<FoundSecret | undefined> {
  return await db.lookup(SECRET_BY_ID, id);
}

export async function findSecretWithPayload(
  db: Db,
  id: string,
): Promise<(FoundSecret & { payload_body: Uint8Array | null }) | undefined> {
  return await db.lookup(SECRET_WITH_PAYLOAD_BY_ID, id);
}

export type EndedSecret = SecretRow & { expiration: Date };

/** The next secrets, unverified, that ended so long ago by the database's clock. */
export async function listEndedSecrets(
  db: Db,
  afterSeconds: number,
  last: Pick<EndedSecret, 'expiration' | 'id'> | undefined,
  limit: number,
): Promise<EndedSecret[]> {
  const { rows } = await db.query<EndedSecret>({
    name: 'secrets-ended',
    text: `SELECT ${SELECTED} FROM secrets
      WHERE expiration <= now() - $1::bigint * interval '1 second'
        AND ($2::timestamptz IS NULL OR (expiration, id) > ($2::timestamptz, $3::uuid))
      ORDER BY expiration, id LIMIT $4`,
    values: [afterSeconds, last?.expiration ?? null, last?.id ?? null, limit],
  });
  return rows;
}

export interface SecretPage {
  rows: SecretRow[];
  total: number;
}

/** Whose secrets: a project's, or of any project those whose ACL names the user. */
export type Whose = { projectId: string } | { aclUserId: string };

/**
 * One page of secrets, unverified, and the count of all that match: the database's convenience. The page is
 * found first, in an index alone where there is one, and only its own rows are read.
 */
export async function listSecrets(
  db: Db,
  whose: Whose,
  filter: SecretFilter,
  page: { offset: number; limit: number },
): Promise<SecretPage> {
  const matching = matchingSecrets(db, whose, filter);
  const ids = sorted(matching.select('id'), filter).limit(page.limit).offset(page.offset);
  const onPage = db.build.selectFrom('secrets').where('id', 'in', ids);
  const rows = sorted(onPage.select(COLUMNS as (keyof SecretRow)[]), filter).compile();
  const count = matching.select((eb) => eb.fn.countAll<bigint>().as('total')).compile();
  const name = statementName(whose, filter);
  const [found, counted] = await Promise.all([
    db.query<SecretRow>({ ...(name && { name: `${name}-page` }), text: rows.sql, values: rows.parameters }),
    db.query<{ total: bigint }>({
      ...(name && { name: `${name}-count` }),
      text: count.sql,
      values: count.parameters,
    }),
  ]);
  return { rows: found.rows, total: Number(counted.rows[0]?.total ?? 0n) };
}

/** The commonest lists are planned once a connection; one by a pattern is planned for its pattern. */
function statementName(whose: Whose, filter: SecretFilter): string | undefined {
  const { name, aclOnly: _, sort, created, updated, expiration, ...others } = filter;
  const isOther = Object.keys(others).length > 0 || [created, updated, expiration].flat().length > 0;
  if (isOther || !('projectId' in whose) || sort.length > 0 || isPattern(name)) return undefined;
  return name === undefined ? 'secrets' : 'secrets-named';
}

// `{}` is Kysely's word for a selection of nothing yet.
type Matching = SelectQueryBuilder<Tables, 'secrets', {}>;

function matchingSecrets(db: Db, whose: Whose, filter: SecretFilter): Matching {
  let query = db.build
    .selectFrom('secrets')
    .where((eb) =>
      'projectId' in whose
        ? eb('project_id', '=', whose.projectId)
        : sql<boolean>`acl_users @> ${[whose.aclUserId]}::text[]`,
    )
    .where((eb) => eb.or([eb('expiration', 'is', null), eb('expiration', '>', sql<Date>`now()`)]));
  for (const [column, value] of [
    ['name', filter.name],
    ['algorithm', filter.alg],
    ['mode', filter.mode],
  ] as const) {
    if (value !== undefined) query = query.where((eb) => matches(eb, column, value));
  }
  if (filter.bits !== undefined) query = query.where('bit_length', '=', filter.bits);
  if (filter.secretType !== undefined) query = query.where('secret_type', '=', filter.secretType);
  for (const column of ['created', 'updated', 'expiration'] as const) {
    for (const bound of filter[column]) query = query.where((eb) => within(eb, column, bound));
  }
  return query;
}

const OPERATORS = { eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

function within(
  eb: ExpressionBuilder<Tables, 'secrets'>,
  column: 'created' | 'updated' | 'expiration',
  { comparison, date }: DateBound,
) {
  return eb(column, OPERATORS[comparison], date);
}

function isPattern(value: string | undefined): boolean {
  return value !== undefined && /[%_]/.test(value);
}

/** LIKE only where there is a wildcard: an equality uses the index, and no pattern can be malformed. */
function matches(
  eb: ExpressionBuilder<Tables, 'secrets'>,
  column: 'name' | 'algorithm' | 'mode',
  value: string,
) {
  if (!isPattern(value)) return eb(column, '=', value);
  return sql<boolean>`${eb.ref(column)} LIKE ${value} ESCAPE ''`;
}

/** What is equal goes by time and id, in the direction of the last key: an index has it all in one order. */
function sorted<O>(
  query: SelectQueryBuilder<Tables, 'secrets', O>,
  { sort }: SecretFilter,
): SelectQueryBuilder<Tables, 'secrets', O> {
  const last = sort.at(-1)?.direction ?? 'asc';
  let ordered = query;
  for (const { key, direction } of sort) ordered = ordered.orderBy(key, direction);
  if (!sort.some(({ key }) => key === 'created')) ordered = ordered.orderBy('created', last);
  return ordered.orderBy('id', last);
}
