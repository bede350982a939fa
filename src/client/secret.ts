/** What a secret is for; servers do not check the value against it. */
export type SecretType = 'symmetric' | 'passphrase' | 'private' | 'public' | 'certificate' | 'opaque';

/** How the value was stored: text or bytes. */
export type PayloadContentType = 'text/plain' | 'application/octet-stream' | 'application/pkcs8';

/** What is known of a secret beside its value. */
export interface Secret {
  id: string;
  /** The full address under which other clients know it. */
  ref: string;
  name: string | null;
  type: SecretType;
  status: string;
  created: Date;
  updated: Date;
  /** From then on the secret can no longer be read. */
  expiration: Date | null;
  algorithm: string | null;
  bitLength: number | null;
  mode: string | null;
  /** The user who stored it. */
  creatorId: string | null;
  /** Absent as long as the secret has no value. */
  contentType?: PayloadContentType;
}

/** A secret to be stored. */
export interface NewSecret {
  name?: string | undefined;
  /** `opaque` when left out. */
  type?: SecretType | undefined;
  /** The value; left out, it is stored by `uploadPayload` later. */
  payload?: string | Uint8Array | undefined;
  /** `text/plain` for text and `application/octet-stream` for bytes when left out. */
  contentType?: PayloadContentType | undefined;
  expiration?: Date | undefined;
  algorithm?: string | undefined;
  bitLength?: number | undefined;
  mode?: string | undefined;
}

/** The address of a secret. */
export interface SecretReference {
  id: string;
  ref: string;
}

/** Which secrets to list. */
export interface SecretFilter {
  /** An SQL `LIKE` pattern: `%` stands for any text, `_` for one character. */
  name?: string | undefined;
  algorithm?: string | undefined;
  mode?: string | undefined;
  bitLength?: number | undefined;
  type?: SecretType | undefined;
  /** Secrets of any project that their owners share with this user, in place of the project's own. */
  sharedWithMe?: boolean | undefined;
  /** Such as `gte:2026-01-01,lt:2026-02-01`. */
  created?: string | undefined;
  updated?: string | undefined;
  expiration?: string | undefined;
  /** Such as `name` or `created:desc,name`. */
  sort?: string | undefined;
  /** Secrets a request brings; the server allows 1–100. Default 100. */
  pageSize?: number | undefined;
}

/** A part of a list. */
export interface SecretPage {
  secrets: Secret[];
  /** How many match in all. */
  total: number;
  /** Where the next page begins; absent after the last. */
  nextOffset?: number;
}

/** The wire form of a secret (key-manager API v1, "Secrets"). */
interface WireSecret {
  secret_ref: string;
  name: string | null;
  secret_type: SecretType;
  status: string;
  created: string;
  updated: string;
  expiration: string | null;
  algorithm: string | null;
  bit_length: number | null;
  mode: string | null;
  creator_id: string | null;
  content_types?: { default?: PayloadContentType } | null;
}

/** The wire's times are UTC without saying so, with up to six digits of a second. */
export function parseTime(text: string): Date {
  return new Date(`${text.replace(/(\.\d{3})\d+/, '$1').replace(/Z$/, '')}Z`);
}

/** The last segment of a reference. */
export function idOfReference(ref: string): string {
  return ref.slice(ref.lastIndexOf('/') + 1);
}

/** A secret from its wire form. */
export function parseSecret(value: unknown): Secret {
  const wire = value as WireSecret;
  const contentType = wire.content_types?.default;
  return {
    id: idOfReference(wire.secret_ref),
    ref: wire.secret_ref,
    name: wire.name,
    type: wire.secret_type,
    status: wire.status,
    created: parseTime(wire.created),
    updated: parseTime(wire.updated),
    expiration: wire.expiration ? parseTime(wire.expiration) : null,
    algorithm: wire.algorithm,
    bitLength: wire.bit_length,
    mode: wire.mode,
    creatorId: wire.creator_id ?? null,
    ...(contentType && { contentType }),
  };
}

/** The query of a list, in the wire's names. */
export function formatFilter(filter: SecretFilter, offset: number): string {
  const query = new URLSearchParams({ limit: String(filter.pageSize ?? 100), offset: String(offset) });
  const put = (key: string, value: string | number | undefined): void => {
    if (value !== undefined) query.set(key, String(value));
  };
  // the server decodes this one twice
  put('name', filter.name?.replaceAll('%', '%25').replaceAll('+', '%2B'));
  put('alg', filter.algorithm);
  put('mode', filter.mode);
  put('bits', filter.bitLength);
  put('secret_type', filter.type);
  put('acl_only', filter.sharedWithMe ? 'true' : undefined);
  put('created', filter.created);
  put('updated', filter.updated);
  put('expiration', filter.expiration);
  put('sort', filter.sort);
  return query.toString();
}
