import type { Logger } from 'pino';
import type { Db } from './db/open.ts';
import type { Keyring } from './keyring/keyring.ts';
import type { RuleSetName } from './policy/can.ts';

export interface Clock {
  now(): Date;
}

export interface Limits {
  /** Bytes of a payload, as text or decoded. */
  payloadBytesMax: number;
  /** Bytes of a JSON body. */
  bodyBytesMax: number;
  pageDefault: number;
  pageMax: number;
  /** Of each project that has no limits of its own; -1 for none. */
  quotas: Readonly<Record<QuotaResource, number>>;
}

/** What a project's quota counts. */
export type QuotaResource = 'secrets' | 'orders' | 'containers' | 'consumers';

/** Counts and logs rows that did not verify. */
export interface IntegrityViolations {
  count(where: string, requestId: string): void;
}

/** What is done about an `rsa` or `certificate` container whose parts do not belong together. */
export interface ContainerChecks {
  /** False makes it all the same. */
  refuse: boolean;
  /**
   * Lets few checks run at once, because a passphrase may take a good part of a second; projects take turns.
   * Throws GateFull when too many of the project wait.
   */
  gate<T>(work: () => Promise<T>, projectId: string): Promise<T>;
  countMismatch(type: string): void;
}

/** All that an operation may touch. Made once in serve.ts, given to whoever needs it. */
export interface Coffer {
  db: Db;
  keyring: Keyring;
  clock: Clock;
  limits: Limits;
  log: Logger;
  integrityViolations: IntegrityViolations;
  containerChecks: ContainerChecks;
  rules: RuleSetName;
  /** The kinds of the secret stores that clients may choose among, by name; null where there is no choice. */
  storeKinds: ReadonlyMap<string, string> | null;
  /** Has the job of this name run now: here, or on the nodes that run jobs. */
  wake(job: string): void;
  /** Base of every reference: no trailing slash, no version. */
  publicUrl: string;
  /** Bases that references had before: clients keep them. */
  formerUrls: readonly string[];
  region: string;
}
