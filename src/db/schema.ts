/** The rows of the sealed tables, as the server holds them: `bigint` columns are bigints, times are Dates. */
interface SealedColumns {
  /** The epoch of the KEK whose integrity key seals the row and, where it has a DEK, wraps it. */
  epoch: bigint;
  /** Counts the changes that users made: +1 each; re-wrapping leaves it. */
  revision: bigint;
  seal: Uint8Array;
  created: Date;
  updated: Date;
}

export interface ProjectRow extends SealedColumns {
  id: string;
  /** `local` (made here), `external` (first seen in a request), `system` (the reserved one). */
  origin: string;
  domain_id: string | null;
  name: string | null;
  name_key: string | null;
  description: string | null;
  enabled: boolean;
  tokens_valid_from: Date | null;
  /** 0 until the project's first KEK is made. */
  active_epoch: bigint;
  least_epoch: bigint;
  limits: Uint8Array | null;
  preferred_store: string | null;
  /** Set once it is being deleted: from then on nobody acts in it, and its rows go one after the other. */
  deleted: Date | null;
  /** What else its managers keep there (FORMAT.md §6). */
  extra: Uint8Array | null;
  /** Of the system's row alone: each store's master key in use, and the retired ones (FORMAT.md §6). */
  master_keys: Uint8Array | null;
}

export interface KekRow extends SealedColumns {
  id: string;
  project_id: string;
  store: string;
  master_key_id: string;
  wrapped_kek: Uint8Array;
  wrapped_integrity_key: Uint8Array;
}

export interface UserRow extends SealedColumns {
  id: string;
  domain_id: string;
  name: string;
  name_key: string;
  email: string | null;
  description: string | null;
  enabled: boolean;
  password_hash: string | null;
  default_project_id: string | null;
  tokens_valid_from: Date | null;
  /** SHA-256 over the sorted ids of the user's role assignments: none can be added, dropped or put back. */
  assignments_digest: Uint8Array;
  extra: Uint8Array | null;
}

export interface RoleRow extends SealedColumns {
  id: string;
  name: string;
  name_key: string;
  description: string | null;
}

export interface RoleAssignmentRow extends SealedColumns {
  id: string;
  user_id: string;
  /** `project`, `domain` or `system`. */
  scope_kind: string;
  scope_id: string;
  role_id: string;
}

export interface SigningKeyRow extends SealedColumns {
  id: string;
  algorithm: string;
  public_key: Uint8Array;
  payload_head: Uint8Array;
  dek: Uint8Array;
  not_before: Date;
  not_after: Date;
}

export interface RevokedTokenRow extends SealedColumns {
  /** The token's `jti`. */
  id: string;
  user_id: string;
  expires: Date;
}

export interface IssuerRow extends SealedColumns {
  id: string;
  name: string;
  name_key: string;
  /** What its JWTs name as `iss`. */
  issuer_url: string;
  /** Where its keys are read, or null: then they are in `key_set`. */
  jwks_url: string | null;
  /** A JWK set. */
  key_set: Uint8Array | null;
  audience: string;
  claims: Uint8Array;
  project_id: string;
  role_ids: Uint8Array;
  /** Who its tokens are of: a user without a password. */
  user_id: string;
  /** Its key set may be at an address that is not of the public Internet. */
  allow_private: boolean;
  allow_http: boolean;
  enabled: boolean;
  tokens_valid_from: Date | null;
}

export interface ApplicationCredentialRow extends SealedColumns {
  id: string;
  user_id: string;
  project_id: string;
  name: string;
  name_key: string;
  description: string | null;
  /** NULL until the application fetched its secret. */
  secret_hash: Uint8Array | null;
  roles: Uint8Array;
  /** NULL restricts nothing; an empty list allows nothing. */
  access_rules: Uint8Array | null;
  unrestricted: boolean;
  expires: Date | null;
  enabled: boolean;
  tokens_valid_from: Date | null;
}

/** An access rule as its owner lists it; what a credential may ask for stands in the credential. */
export interface AccessRuleRow extends SealedColumns {
  id: string;
  user_id: string;
  service: string;
  method: string;
  path: string;
}

export interface RedemptionRow extends SealedColumns {
  id: string;
  application_credential_id: string;
  code_hash: Uint8Array;
  /** The addresses that may redeem it; NULL for any. */
  source: string | null;
  expires: Date;
  redeemed: Date | null;
}

export interface TransportKeyRow extends SealedColumns {
  id: string;
  plugin_name: string;
  transport_key: string;
  status: string;
}

export interface SecretRow extends SealedColumns {
  id: string;
  project_id: string;
  creator_id: string | null;
  name: string | null;
  secret_type: string;
  status: string;
  algorithm: string | null;
  bit_length: bigint | null;
  mode: string | null;
  expiration: Date | null;
  content_type: string | null;
  user_metadata: Uint8Array | null;
  acl: Uint8Array | null;
  payload_head: Uint8Array | null;
  dek: Uint8Array | null;
}

export interface ContainerRow extends SealedColumns {
  id: string;
  project_id: string;
  creator_id: string | null;
  name: string | null;
  type: string;
  status: string;
  slots: Uint8Array;
  acl: Uint8Array | null;
}

interface ConsumerColumns extends SealedColumns {
  /** Made of what it says, so that a repetition finds it. */
  id: string;
  /** Of the secret or container. */
  project_id: string;
  parent_id: string;
  /** Of who registered it, and may remove it. */
  consumer_project_id: string;
}

export interface SecretConsumerRow extends ConsumerColumns {
  service: string;
  resource_type: string;
  resource_id: string;
}

export interface ContainerConsumerRow extends ConsumerColumns {
  name: string;
  url: string;
}

export interface OrderRow extends SealedColumns {
  id: string;
  project_id: string;
  creator_id: string | null;
  /** The application credential that it was submitted with. */
  credential_id: string | null;
  /** The creator's roles at submission, as `encodeRoles` writes them. */
  roles: Uint8Array;
  type: string;
  status: string;
  /** JSON, as clients are shown it. */
  meta: string;
  error_status_code: string | null;
  error_reason: string | null;
  secret_id: string | null;
  container_id: string | null;
  /** With `dek` and the body, the passphrase for a private key; NULL without one, and once it is used. */
  payload_head: Uint8Array | null;
  dek: Uint8Array | null;
}

export interface SealedRows {
  projects: ProjectRow;
  keks: KekRow;
  users: UserRow;
  roles: RoleRow;
  role_assignments: RoleAssignmentRow;
  signing_keys: SigningKeyRow;
  revoked_tokens: RevokedTokenRow;
  issuers: IssuerRow;
  application_credentials: ApplicationCredentialRow;
  access_rules: AccessRuleRow;
  redemptions: RedemptionRow;
  transport_keys: TransportKeyRow;
  secrets: SecretRow;
  containers: ContainerRow;
  secret_consumers: SecretConsumerRow;
  container_consumers: ContainerConsumerRow;
  orders: OrderRow;
}

export type SealedTable = keyof SealedRows;

/**
 * A column that the seal covers through the envelope's head in the same row: read and written beside the row.
 */
interface PayloadBody {
  payload_body: Uint8Array | null;
}

/** An unsealed copy of the users in the sealed ACL, for an index: what it finds is looked at in the seal. */
interface AclIndex {
  acl_users: readonly string[] | null;
}

/** The tables as Kysely sees them. */
export interface Tables extends Omit<SealedRows, 'secrets' | 'signing_keys' | 'orders'> {
  secrets: SecretRow & PayloadBody & AclIndex;
  signing_keys: SigningKeyRow & PayloadBody;
  orders: OrderRow & PayloadBody;
  password_failures: { user_id: string; source: string; failures: bigint; last_failure: Date };
}
