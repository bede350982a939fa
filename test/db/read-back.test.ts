import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as containers from '../../src/containers/queries.ts';
import type { Db } from '../../src/db/open.ts';
import type { SealedRows, SealedTable } from '../../src/db/schema.ts';
import { type NewRow, deleteRow, openRow, sealRow } from '../../src/db/sealed.ts';
import * as identity from '../../src/identity/queries.ts';
import * as keyring from '../../src/keyring/queries.ts';
import * as secrets from '../../src/secrets/queries.ts';
import { rounds } from '../harness/rounds.ts';
import { createFixedKeys } from './fixed-keys.ts';
import { arbitraryRow, requiredColumns } from './random-rows.ts';
import { createTestDatabase, insertAdmitted, type TestDatabase } from './test-database.ts';

const LATER = new Date('2150-01-01T00:00:00.001Z');
const keys = createFixedKeys();

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  ({ db } = database);
});
afterAll(async () => await database.drop());

type Found = { id?: unknown } | null | undefined;
interface Query<T extends SealedTable> {
  table: T;
  name: string;
  read: (row: SealedRows[T]) => Promise<Found | Found[]>;
  /** What the query's predicate needs. */
  fixed?: Partial<NewRow<T>>;
}

const query = <T extends SealedTable>(
  table: T,
  name: string,
  read: Query<T>['read'],
  fixed: Partial<NewRow<T>> = {},
): Query<SealedTable> => ({ table, name, read, fixed }) as unknown as Query<SealedTable>;

const filter = { aclOnly: false, created: [], updated: [], expiration: [], sort: [] };
const page = { offset: 0, limit: 100 };

/** The user and the project that joined rows hang on. */
const USER = randomUUID();
const QUERIES = [
  query('projects', 'findProject', async ({ id }) => await keyring.findProject(db, id)),
  query(
    'projects',
    'findProjectByName',
    async (row) => await identity.findProjectByName(db, 'd', row.name_key ?? ''),
    {
      domain_id: 'd',
      name_key: 'a project',
    },
  ),
  query('keks', 'findKek', async (row) => await keyring.findKek(db, row.project_id, row.epoch)),
  query('users', 'findUser', async ({ id }) => await identity.findUser(db, id)),
  query(
    'users',
    'findUserByName',
    async (row) => await identity.findUserByName(db, row.domain_id, row.name_key),
  ),
  query('users', 'findUserWithAssignments', async ({ id }) => {
    return (await identity.findUserWithAssignments(db, id, null))?.user;
  }),
  query('projects', 'findUserWithAssignments', async ({ id }) => {
    return (await identity.findUserWithAssignments(db, USER, id))?.project;
  }),
  query(
    'role_assignments',
    'findUserWithAssignments',
    async () =>
      (await identity.findUserWithAssignments(db, USER, null))?.assignments.map((one) => one.assignment),
    { user_id: USER },
  ),
  query('roles', 'findRoleByName', async (row) => await identity.findRoleByName(db, row.name_key)),
  query('roles', 'listRoles', async () => await identity.listRoles(db)),
  query('signing_keys', 'listSigningKeys', async () => await identity.listSigningKeys(db), {
    not_after: LATER,
  }),
  query('revoked_tokens', 'listRevokedTokens', async () => await identity.listRevokedTokens(db, null), {
    expires: LATER,
  }),
  query('secrets', 'findSecret', async ({ id }) => await secrets.findSecret(db, id)),
  query('secrets', 'findSecretWithPayload', async ({ id }) => await secrets.findSecretWithPayload(db, id)),
  query(
    'secrets',
    'listSecrets',
    async (row) => (await secrets.listSecrets(db, { projectId: row.project_id }, filter, page)).rows,
    { expiration: LATER },
  ),
  query('containers', 'findContainer', async ({ id }) => await containers.findContainer(db, id)),
  query(
    'containers',
    'listContainers',
    async (row) => (await containers.listContainers(db, row.project_id, {}, page)).rows,
  ),
];

const BODIES = new Set<SealedTable>(['secrets', 'signing_keys']);

describe('a row of any values', () => {
  beforeAll(async () => {
    const required = await requiredColumns(db, 'users');
    const [columns] = fc.sample(arbitraryRow('users', required), { numRuns: 1, seed: 1 });
    await insertAdmitted(db, 'users', await sealRow(keys, 'users', { ...columns!, id: USER }));
  });

  it.each(QUERIES)('of $table reads back through $name to the bytes that were sealed', async (one) => {
    const { table, read, fixed } = one;
    const required = await requiredColumns(db, table);
    await fc.assert(
      fc.asyncProperty(arbitraryRow(table, required), async (columns) => {
        const row = await sealRow(keys, table, { ...columns, ...fixed });
        const body = Buffer.from(`body of ${row.id}`);
        await insertAdmitted(db, table, row, { unsealed: BODIES.has(table) ? { payload_body: body } : {} });
        const answer = await read(row);
        const found = Array.isArray(answer) ? answer.find((each) => each?.id === row.id) : answer;
        expect(found).toMatchObject(row);
        await openRow(keys, table, { id: row.id }, found);
        if (found !== null && found !== undefined && 'payload_body' in found)
          expect(found.payload_body).toEqual(body);
        await deleteRow(db, table, row);
      }),
      { numRuns: rounds(200) },
    );
  });

  it('does not read back through any query once it is deleted', async () => {
    for (const { table, read, fixed } of QUERIES) {
      const required = await requiredColumns(db, table);
      const [columns] = fc.sample(arbitraryRow(table, required), { numRuns: 1, seed: 2 });
      const row = await sealRow(keys, table, { ...columns!, ...fixed });
      const answer = await read(row);
      expect([answer ?? []].flat()).toEqual([]);
    }
  });
});
