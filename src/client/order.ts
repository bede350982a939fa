import { idOfReference, parseTime } from './secret.ts';

/** Keys that can be ordered; a length that is not made ends the order in ERROR. */
export interface NewKeyOrder {
  name?: string | undefined;
  /** `aes`, `des`, `hmacsha1`, `hmacsha256`, `hmacsha384` or `hmacsha512`. */
  algorithm: string;
  /** 64, 128, 192 or 256; twice that in mode `xts`. */
  bitLength: number;
  mode?: string | undefined;
  expiration?: Date | undefined;
}

/** Pairs that can be ordered. */
export interface NewPairOrder {
  name?: string | undefined;
  /** `rsa` or `dsa` of 1024, 2048 or 4096 bits, `ec` of 256 or 384, `ed25519` of 256. */
  algorithm: string;
  bitLength: number;
  /** Encrypts the private key. */
  passphrase?: string | undefined;
  expiration?: Date | undefined;
}

/** The address of an order. */
export interface OrderReference {
  id: string;
  ref: string;
}

export interface Order extends OrderReference {
  /** `key` or `asymmetric`. */
  type: string;
  /** `PENDING`, then `ACTIVE` or `ERROR` for good. */
  status: string;
  name: string | null;
  algorithm: string | null;
  bitLength: number | null;
  mode: string | null;
  created: Date;
  updated: Date;
  creatorId: string | null;
  /** Of a key order that is ACTIVE. */
  secretId: string | null;
  /** Of an order for a pair that is ACTIVE. */
  containerId: string | null;
  /** Of an order in ERROR. */
  errorCode: string | null;
  errorReason: string | null;
}

export function orderFields({ expiration, bitLength, ...rest }: NewKeyOrder | NewPairOrder): object {
  return { ...rest, bit_length: bitLength, expiration: expiration?.toISOString() };
}

/** The wire form of an order (key-manager API v1, "Orders"). */
interface WireOrder {
  order_ref: string;
  type: string;
  status: string;
  meta: Record<string, unknown>;
  created: string;
  updated: string;
  creator_id?: string | null;
  secret_ref?: string;
  container_ref?: string;
  error_status_code?: string;
  error_reason?: string;
}

/** An order from its wire form. */
export function parseOrder(value: unknown): Order {
  const wire = value as WireOrder;
  const text = (key: string): string | null => {
    const found = wire.meta[key];
    return typeof found === 'string' ? found : null;
  };
  const bits = wire.meta['bit_length'];
  return {
    id: idOfReference(wire.order_ref),
    ref: wire.order_ref,
    type: wire.type,
    status: wire.status,
    name: text('name'),
    algorithm: text('algorithm'),
    bitLength: typeof bits === 'number' ? bits : null,
    mode: text('mode'),
    created: parseTime(wire.created),
    updated: parseTime(wire.updated),
    creatorId: wire.creator_id ?? null,
    secretId: wire.secret_ref ? idOfReference(wire.secret_ref) : null,
    containerId: wire.container_ref ? idOfReference(wire.container_ref) : null,
    errorCode: wire.error_status_code ?? null,
    errorReason: wire.error_reason ?? null,
  };
}
