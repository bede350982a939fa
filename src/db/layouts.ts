import type { SealedRows, SealedTable } from './schema.ts';

export type ColumnType = 'uuid' | 'text' | 'bytea' | 'bigint' | 'boolean' | 'timestamptz';

/** A frozen, ordered list of the columns that a seal covers. Its number stands in the seal. */
export interface Layout {
  number: number;
  /** The migration that made its youngest column: written only once that migration is finished. */
  migration: number;
  columns: readonly (readonly [name: string, type: ColumnType])[];
}

const LAST = [
  ['created', 'timestamptz'],
  ['updated', 'timestamptz'],
  ['revision', 'bigint'],
  ['epoch', 'bigint'],
] as const;

/** What every layout of projects begins with. */
const PROJECT = [
  ['id', 'text'],
  ['origin', 'text'],
  ['domain_id', 'text'],
  ['name', 'text'],
  ['name_key', 'text'],
  ['description', 'text'],
  ['enabled', 'boolean'],
  ['tokens_valid_from', 'timestamptz'],
  ['active_epoch', 'bigint'],
  ['least_epoch', 'bigint'],
  ['limits', 'bytea'],
  ['preferred_store', 'text'],
] as const;

/** What every layout of users begins with. */
const USER = [
  ['id', 'text'],
  ['domain_id', 'text'],
  ['name', 'text'],
  ['name_key', 'text'],
  ['email', 'text'],
  ['description', 'text'],
  ['enabled', 'boolean'],
  ['password_hash', 'text'],
  ['default_project_id', 'text'],
  ['tokens_valid_from', 'timestamptz'],
  ['assignments_digest', 'bytea'],
] as const;

/** Every sealed table with its layouts, oldest first: the list that rotation, tests and `openRow` go by. */
export const LAYOUTS: { readonly [T in SealedTable]: readonly Layout[] } = {
  projects: [
    {
      number: 1,
      migration: 1,
      columns: [...PROJECT, ...LAST],
    },
    {
      number: 2,
      migration: 8,
      columns: [...PROJECT, ['deleted', 'timestamptz'], ...LAST],
    },
    {
      number: 3,
      migration: 11,
      columns: [...PROJECT, ['deleted', 'timestamptz'], ['extra', 'bytea'], ...LAST],
    },
    {
      number: 4,
      migration: 12,
      columns: [
        ...PROJECT,
        ['deleted', 'timestamptz'],
        ['extra', 'bytea'],
        ['master_keys', 'bytea'],
        ...LAST,
      ],
    },
  ],
  keks: [
    {
      number: 1,
      migration: 1,
      columns: [
        ['id', 'uuid'],
        ['project_id', 'text'],
        ['store', 'text'],
        ['master_key_id', 'text'],
        ['wrapped_kek', 'bytea'],
        ['wrapped_integrity_key', 'bytea'],
        ...LAST,
      ],
    },
  ],
  users: [
    {
      number: 1,
      migration: 1,
      columns: [...USER, ...LAST],
    },
    {
      number: 2,
      migration: 11,
      columns: [...USER, ['extra', 'bytea'], ...LAST],
    },
  ],
  roles: [
    {
      number: 1,
      migration: 1,
      columns: [['id', 'text'], ['name', 'text'], ['name_key', 'text'], ['description', 'text'], ...LAST],
    },
  ],
  role_assignments: [
    {
      number: 1,
      migration: 1,
      columns: [
        ['id', 'uuid'],
        ['user_id', 'text'],
        ['scope_kind', 'text'],
        ['scope_id', 'text'],
        ['role_id', 'text'],
        ...LAST,
      ],
    },
  ],
  signing_keys: [
    {
      number: 1,
      migration: 1,
      columns: [
        ['id', 'text'],
        ['algorithm', 'text'],
        ['public_key', 'bytea'],
        ['payload_head', 'bytea'],
        ['dek', 'bytea'],
        ['not_before', 'timestamptz'],
        ['not_after', 'timestamptz'],
        ...LAST,
      ],
    },
  ],
  revoked_tokens: [
    {
      number: 1,
      migration: 1,
      columns: [['id', 'text'], ['user_id', 'text'], ['expires', 'timestamptz'], ...LAST],
    },
  ],
  issuers: [
    {
      number: 1,
      migration: 4,
      columns: [
        ['id', 'text'],
        ['name', 'text'],
        ['name_key', 'text'],
        ['issuer_url', 'text'],
        ['jwks_url', 'text'],
        ['key_set', 'bytea'],
        ['audience', 'text'],
        ['claims', 'bytea'],
        ['project_id', 'text'],
        ['role_ids', 'bytea'],
        ['user_id', 'text'],
        ['allow_private', 'boolean'],
        ['allow_http', 'boolean'],
        ['enabled', 'boolean'],
        ['tokens_valid_from', 'timestamptz'],
        ...LAST,
      ],
    },
  ],
  application_credentials: [
    {
      number: 1,
      migration: 3,
      columns: [
        ['id', 'text'],
        ['user_id', 'text'],
        ['project_id', 'text'],
        ['name', 'text'],
        ['name_key', 'text'],
        ['description', 'text'],
        ['secret_hash', 'bytea'],
        ['roles', 'bytea'],
        ['access_rules', 'bytea'],
        ['unrestricted', 'boolean'],
        ['expires', 'timestamptz'],
        ['enabled', 'boolean'],
        ['tokens_valid_from', 'timestamptz'],
        ...LAST,
      ],
    },
  ],
  access_rules: [
    {
      number: 1,
      migration: 3,
      columns: [
        ['id', 'text'],
        ['user_id', 'text'],
        ['service', 'text'],
        ['method', 'text'],
        ['path', 'text'],
        ...LAST,
      ],
    },
  ],
  redemptions: [
    {
      number: 1,
      migration: 3,
      columns: [
        ['id', 'uuid'],
        ['application_credential_id', 'text'],
        ['code_hash', 'bytea'],
        ['source', 'text'],
        ['expires', 'timestamptz'],
        ['redeemed', 'timestamptz'],
        ...LAST,
      ],
    },
  ],
  transport_keys: [
    {
      number: 1,
      migration: 8,
      columns: [
        ['id', 'uuid'],
        ['plugin_name', 'text'],
        ['transport_key', 'text'],
        ['status', 'text'],
        ...LAST,
      ],
    },
  ],
  secrets: [
    {
      number: 1,
      migration: 1,
      columns: [
        ['id', 'uuid'],
        ['project_id', 'text'],
        ['creator_id', 'text'],
        ['name', 'text'],
        ['secret_type', 'text'],
        ['status', 'text'],
        ['algorithm', 'text'],
        ['bit_length', 'bigint'],
        ['mode', 'text'],
        ['expiration', 'timestamptz'],
        ['content_type', 'text'],
        ['user_metadata', 'bytea'],
        ['acl', 'bytea'],
        ['payload_head', 'bytea'],
        ['dek', 'bytea'],
        ...LAST,
      ],
    },
  ],
  containers: [
    {
      number: 1,
      migration: 6,
      columns: [
        ['id', 'uuid'],
        ['project_id', 'text'],
        ['creator_id', 'text'],
        ['name', 'text'],
        ['type', 'text'],
        ['status', 'text'],
        ['slots', 'bytea'],
        ['acl', 'bytea'],
        ...LAST,
      ],
    },
  ],
  secret_consumers: [
    {
      number: 1,
      migration: 5,
      columns: [
        ['id', 'uuid'],
        ['project_id', 'text'],
        ['parent_id', 'uuid'],
        ['consumer_project_id', 'text'],
        ['service', 'text'],
        ['resource_type', 'text'],
        ['resource_id', 'text'],
        ...LAST,
      ],
    },
  ],
  container_consumers: [
    {
      number: 1,
      migration: 5,
      columns: [
        ['id', 'uuid'],
        ['project_id', 'text'],
        ['parent_id', 'uuid'],
        ['consumer_project_id', 'text'],
        ['name', 'text'],
        ['url', 'text'],
        ...LAST,
      ],
    },
  ],
  orders: [
    {
      number: 1,
      migration: 7,
      columns: [
        ['id', 'uuid'],
        ['project_id', 'text'],
        ['creator_id', 'text'],
        ['credential_id', 'text'],
        ['roles', 'bytea'],
        ['type', 'text'],
        ['status', 'text'],
        ['meta', 'text'],
        ['error_status_code', 'text'],
        ['error_reason', 'text'],
        ['secret_id', 'uuid'],
        ['container_id', 'uuid'],
        ['payload_head', 'bytea'],
        ['dek', 'bytea'],
        ...LAST,
      ],
    },
  ],
};

const COLUMNS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(LAYOUTS).map(([table, layouts]) => {
    const names = layouts.flatMap(({ columns }) => columns.map(([name]) => name));
    return [table, [...new Set(names), 'seal']];
  }),
);

/**
 * The columns of a table, over all its layouts, with the seal: what every query of a sealed table selects.
 */
export function sealedColumns(table: SealedTable): readonly string[] {
  return COLUMNS.get(table) ?? [];
}

/**
 * The youngest layout whose migration is finished: servers of the version before can still read it. They do
 * not know a table that came after them, so its first layout waits for nothing.
 */
export function layoutToWrite(layouts: readonly Layout[], finishedMigration: number): Layout {
  const layout = layouts.findLast((candidate) => candidate.migration <= finishedMigration) ?? layouts[0];
  if (layout === undefined) throw new Error('a table without a layout');
  return layout;
}

/** The tables whose rows belong to no project: sealed under the reserved system project. */
const SYSTEM_TABLES: ReadonlySet<SealedTable> = new Set([
  'projects',
  'users',
  'roles',
  'role_assignments',
  'signing_keys',
  'revoked_tokens',
  'transport_keys',
  'issuers',
  'application_credentials',
  'access_rules',
  'redemptions',
] as const);

export const SYSTEM_PROJECT = 'system';

/** The project whose integrity key seals a row of this table. */
export function sealingProject<T extends SealedTable>(table: T, row: SealedRows[T]): string {
  if (SYSTEM_TABLES.has(table)) return SYSTEM_PROJECT;
  return (row as { project_id: string }).project_id;
}
