import type { ContainerConsumer } from './consumers.ts';
import { idOfReference, parseTime } from './secret.ts';

/** What a container is for; `dsa` is made by an order alone. */
export type ContainerType = 'generic' | 'rsa' | 'certificate' | 'dsa';

/** A secret's place in a container. */
export interface ContainerSlot {
  name: string | null;
  secretId: string;
}

/** Secrets that belong together. */
export interface Container {
  id: string;
  /** The full address under which other clients know it. */
  ref: string;
  name: string | null;
  type: ContainerType;
  status: string;
  created: Date;
  updated: Date;
  creatorId: string | null;
  slots: readonly ContainerSlot[];
  consumers: readonly ContainerConsumer[];
}

/** A container to be made. */
export interface NewContainer {
  name?: string | undefined;
  /** `generic` when left out. */
  type?: Exclude<ContainerType, 'dsa'> | undefined;
  /**
   * The id or reference of a secret for each name. `rsa` knows `private_key`, `public_key` and
   * `private_key_passphrase`; `certificate` knows `certificate`, `private_key`, `private_key_passphrase` and
   * `intermediates`.
   */
  secrets?: Readonly<Record<string, string>> | undefined;
}

/** The address of a container. */
export interface ContainerReference {
  id: string;
  ref: string;
}

/** Which containers to list. */
export interface ContainerFilter {
  /** An SQL `LIKE` pattern: `%` stands for any text, `_` for one character. */
  name?: string | undefined;
  type?: ContainerType | undefined;
  /** Containers a request brings; the server allows 1–100. Default 100. */
  pageSize?: number | undefined;
}

/** A part of a list. */
export interface ContainerPage {
  containers: Container[];
  /** How many match in all. */
  total: number;
  /** Where the next page begins; absent after the last. */
  nextOffset?: number;
}

/** The wire form of a container (key-manager API v1, "Containers"). */
interface WireContainer {
  container_ref: string;
  name: string | null;
  type: ContainerType;
  status: string;
  created: string;
  updated: string;
  creator_id: string | null;
  secret_refs: { name: string | null; secret_ref: string }[];
  consumers: { name: string; URL: string }[];
}

/** A container from its wire form. */
export function parseContainer(value: unknown): Container {
  const wire = value as WireContainer;
  return {
    id: idOfReference(wire.container_ref),
    ref: wire.container_ref,
    name: wire.name,
    type: wire.type,
    status: wire.status,
    created: parseTime(wire.created),
    updated: parseTime(wire.updated),
    creatorId: wire.creator_id ?? null,
    slots: wire.secret_refs.map(({ name, secret_ref }) => ({ name, secretId: idOfReference(secret_ref) })),
    consumers: wire.consumers.map(({ name, URL }) => ({ name, url: URL })),
  };
}
