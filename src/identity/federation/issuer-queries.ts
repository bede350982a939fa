import { sealedColumns } from '../../db/layouts.ts';
import type { Queryable } from '../../db/open.ts';
import type { IssuerRow } from '../../db/schema.ts';

const COLUMNS = sealedColumns('issuers').join(', ');

export async function findIssuer(db: Queryable, id: string): Promise<IssuerRow | undefined> {
  const { rows } = await db.query<IssuerRow>({
    name: 'issuer-by-id',
    text: `SELECT ${COLUMNS} FROM issuers WHERE id = $1`,
    values: [id],
  });
  return rows[0];
}

export async function findIssuerByName(db: Queryable, nameKey: string): Promise<IssuerRow | undefined> {
  const { rows } = await db.query<IssuerRow>({
    name: 'issuer-by-name',
    text: `SELECT ${COLUMNS} FROM issuers WHERE name_key = $1`,
    values: [nameKey],
  });
  return rows[0];
}

/** Of one address there may be several: for other projects, or by other claims. */
export async function listIssuersByUrl(db: Queryable, url: string): Promise<IssuerRow[]> {
  const { rows } = await db.query<IssuerRow>({
    name: 'issuers-by-url',
    text: `SELECT ${COLUMNS} FROM issuers WHERE issuer_url = $1 ORDER BY name_key`,
    values: [url],
  });
  return rows;
}

export async function listIssuers(db: Queryable): Promise<IssuerRow[]> {
  const { rows } = await db.query<IssuerRow>({
    name: 'issuers',
    text: `SELECT ${COLUMNS} FROM issuers ORDER BY name_key`,
    values: [],
  });
  return rows;
}
