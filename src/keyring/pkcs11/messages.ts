import type { ErrorCode } from '../../errors.ts';
import type { MasterKeyUse } from '../backend.ts';

/** The label of every KEK of strict mode; its CKA_ID tells it from the others. */
export const KEK_LABEL = 'coffer-kek';

/** How the child finds the token and gets in. The PIN goes from its file to the module. */
export interface TokenAddress {
  /** The vendor's library: an absolute path. */
  module: string;
  tokenLabel: string;
  pinFile: string;
  /** Sessions of the pool: so many operations at once. */
  sessions: number;
}

/** What the child is asked to do, and what it answers. Keys are 32 bytes; contexts are AAD. */
export interface TokenCalls {
  /** All but the log-in, which is asked for by itself: the parent knows of each one that is under way. */
  open: { asked: TokenAddress; answer: PinSource };
  logIn: { asked: null; answer: null };
  /** 256 random bits of the token, and their encryption under a master key that never leaves it. */
  makeKek: {
    asked: { masterKey: string; context: Uint8Array };
    answer: { key: Uint8Array; wrapped: Uint8Array };
  };
  openKek: { asked: { masterKey: string; wrapped: Uint8Array; context: Uint8Array }; answer: Uint8Array };
  /** A KEK that is an object of the token, and the encrypted reference to it. */
  makeTokenKek: {
    asked: { masterKey: string; context: Uint8Array };
    answer: { objectId: Uint8Array; wrapped: Uint8Array };
  };
  openTokenKek: {
    asked: { masterKey: string; wrapped: Uint8Array; context: Uint8Array };
    answer: Uint8Array;
  };
  /** The same KEK, or the reference to it, under another master key. */
  rewrapKek: {
    asked: { from: MasterKeyUse; wrapped: Uint8Array; to: MasterKeyUse };
    answer: Uint8Array;
  };
  destroyTokenKek: { asked: { masterKey: string; wrapped: Uint8Array; context: Uint8Array }; answer: null };
  /** The ids of the KEKs that are objects. */
  listTokenKeks: { asked: Record<string, never>; answer: Uint8Array[] };
  /** The id in a reference, whether there is such an object or not. */
  readReference: {
    asked: { masterKey: string; wrapped: Uint8Array; context: Uint8Array };
    answer: Uint8Array;
  };
  destroyObject: { asked: { objectId: Uint8Array }; answer: null };
  wrap: { asked: { objectId: Uint8Array; key: Uint8Array; context: Uint8Array }; answer: Uint8Array };
  unwrap: { asked: { objectId: Uint8Array; wrapped: Uint8Array; context: Uint8Array }; answer: Uint8Array };
  /** Encrypts and decrypts once under a master key. */
  check: { asked: { masterKey: string }; answer: null };
  /** Makes a master key: AES-256, sensitive, never extractable. */
  makeMasterKey: { asked: { label: string }; answer: null };
  destroyMasterKey: { asked: { label: string }; answer: null };
  listMasterKeys: { asked: null; answer: string[] };
  describe: { asked: { masterKey: string }; answer: TokenDescription };
}

export type TokenCall = keyof TokenCalls;
/** What an open token is asked. */
export type TokenUse = Exclude<TokenCall, 'open' | 'logIn'>;

/** Where the PIN was read, and what the token says of those that it was shown. */
export interface PinSource {
  /** Another text for each file, and for each change of one. */
  file: string;
  /** The token knows of a wrong one since the last log-in (CKF_USER_PIN_COUNT_LOW). */
  isWrongOneNoted: boolean;
}

export interface TokenDescription {
  manufacturer: string;
  model: string;
  serialNumber: string;
  firmware: string;
  /** Of the mechanisms that Coffer needs: whether the token has them. */
  mechanisms: Record<string, boolean>;
  /** Of the token; null when it does not say. */
  sessionsMax: number | null;
  sessionsOpen: number | null;
  masterKeys: string[];
  hasActiveMasterKey: boolean;
  /** Milliseconds of one encryption under the master key, over 200 of them; null without the key. */
  latency: { p50: number; p99: number } | null;
}

/** `restart`: the library lost its footing, and a new process must begin afresh. */
export type TokenFailure =
  | { kind: 'refused'; code: ErrorCode; message: string }
  | { kind: 'pin-refused'; message: string }
  | { kind: 'restart'; message: string };

export interface TokenRequest {
  id: number;
  call: TokenCall;
  asked: TokenCalls[TokenCall]['asked'];
}

export type TokenReply = { id: number; answer: unknown } | { id: number; failure: TokenFailure };
