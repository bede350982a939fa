import type { SealedTable } from '../db/schema.ts';
import type { PayloadKind } from './contexts.ts';

/** The tables whose rows carry a payload's envelope, with its DEK in the column `dek`, and its kind. */
export const ENVELOPES: Readonly<Partial<Record<SealedTable, PayloadKind>>> = {
  secrets: 'secret',
  signing_keys: 'signing-key',
  orders: 'order-passphrase',
};
