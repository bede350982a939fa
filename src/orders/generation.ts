import { CofferError } from '../errors.ts';
import type { OrderedSecret } from '../secrets/schema.ts';
import type { OrderType } from './schema.ts';

/** What has to be made for an order. */
export type Plan = { kind: 'key'; bytes: number } | ({ kind: 'pair' } & PairPlan);

export interface PairPlan {
  algorithm: 'rsa' | 'dsa' | 'ec' | 'ed25519';
  bits: number;
  /** The type of the container that holds the pair. */
  container: 'rsa' | 'dsa' | 'generic';
}

/** Why an order ends in ERROR, in the words of Barbican's worker. */
export class OrderRefusal extends Error {
  readonly statusCode: '400' | '403' | '500';

  constructor(statusCode: OrderRefusal['statusCode'], reason: string) {
    super(reason);
    this.name = 'OrderRefusal';
    this.statusCode = statusCode;
  }
}

export const OPERATION = 'Process TypeOrder';

function unsupported(message: string): OrderRefusal {
  return new OrderRefusal('400', `${OPERATION} issue seen - ${message}.`);
}

export function failed(): OrderRefusal {
  return new OrderRefusal('500', `${OPERATION} failure seen - please contact site administrator.`);
}

const KEY_ALGORITHMS = ['aes', 'des', 'hmacsha1', 'hmacsha256', 'hmacsha384', 'hmacsha512'];
const KEY_BITS = [64, 128, 192, 256];
const PAIR_BITS = {
  rsa: [1024, 2048, 4096],
  dsa: [1024, 2048, 4096],
  ec: [256, 384],
  ed25519: [256],
} as const;
type PairAlgorithm = keyof typeof PAIR_BITS;
const OTHER_KNOWN = ['desede', 'diffie_hellman'];

/** @throws OrderRefusal for what cannot be made. Lengths are bounded: 16384 bits of RSA cost minutes. */
export function planOrder(type: OrderType, wanted: OrderedSecret): Plan {
  const algorithm = wanted.algorithm?.toLowerCase() ?? '';
  const bits = Number(wanted.bitLength ?? 0n);
  const isPair = Object.hasOwn(PAIR_BITS, algorithm);
  const isKey = KEY_ALGORITHMS.includes(algorithm);
  if (!isPair && !isKey && !OTHER_KNOWN.includes(algorithm)) {
    throw unsupported('Secret generate supported plugin not found.');
  }
  if (type === 'key' ? !isKey : !isPair) throw unsupported('Requested algorithm is not supported.');
  if (wanted.contentType === null) throw failed();
  return type === 'key' ? planKey(bits, wanted.mode) : planPair(algorithm as PairAlgorithm, bits);
}

function planKey(bits: number, mode: string | null): Plan {
  const factor = mode?.toLowerCase() === 'xts' ? 2 : 1;
  if (!KEY_BITS.includes(bits / factor)) throw failed();
  return { kind: 'key', bytes: bits / 8 };
}

function planPair(algorithm: PairAlgorithm, bits: number): Plan {
  const lengths: readonly number[] = PAIR_BITS[algorithm];
  if (!lengths.includes(bits)) throw failed();
  const container = algorithm === 'rsa' || algorithm === 'dsa' ? algorithm : 'generic';
  return { kind: 'pair', algorithm, bits, container };
}

/** What an error of the work means to its order; undefined for one after which it is tried again. */
export function refusalOf(error: unknown): OrderRefusal | undefined {
  if (error instanceof OrderRefusal) return error;
  if (!(error instanceof CofferError && error.code === 'forbidden')) return undefined;
  return new OrderRefusal('403', error.message);
}
