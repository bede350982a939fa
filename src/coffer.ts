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
}

/** Counts and logs rows that did not verify. */
export interface IntegrityViolations {
  count(where: string, requestId: string): void;
}

/** All that an operation may touch. Made once in serve.ts, given to whoever needs it. */
export interface Coffer {
  db: Db;
  keyring: Keyring;
  clock: Clock;
  limits: Limits;
  log: Logger;
  integrityViolations: IntegrityViolations;
  rules: RuleSetName;
  /** Base of every reference: no trailing slash, no version. */
  publicUrl: string;
  region: string;
}
