/**
 * FORMAT.md a second time, written from the page alone with the primitives of `node:crypto`: nothing of `src`
 * is imported, so that a golden vector is the word of two implementations.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

type Value = string | number | boolean | null | [string, unknown][];
/** A field as the vectors write it: its type and its value, bytes in hex, times in ISO 8601. */
export type ReferenceField = [kind: string, value: Value | ReferenceField[]];

const TAG: Record<string, number> = {
  null: 0,
  bytes: 1,
  bytea: 1,
  text: 2,
  integer: 3,
  bigint: 3,
  boolean: 4,
  time: 5,
  timestamptz: 5,
  uuid: 6,
  list: 7,
};

/** §1: `tag ‖ length ‖ value`. */
export function encode(fields: ReferenceField[]): Buffer {
  return Buffer.concat(
    fields.map(([kind, value]) => {
      const tag = value === null ? 0 : TAG[kind];
      if (tag === undefined) throw new Error(`no tag for ${kind}`);
      const body = encodeBody(tag, value);
      return Buffer.concat([Buffer.from([tag]), uint(body.length, 4), body]);
    }),
  );
}

function encodeBody(tag: number, value: unknown): Buffer {
  if (tag === 0) return Buffer.alloc(0);
  if (tag === 1) return Buffer.from(value as string, 'hex');
  if (tag === 2) return Buffer.from(value as string, 'utf8');
  if (tag === 3) return signed64(BigInt(value as string));
  if (tag === 4) return Buffer.from([value === true ? 1 : 0]);
  if (tag === 5) return signed64(BigInt(Date.parse(value as string)));
  if (tag === 6) return Buffer.from((value as string).replace(/-/g, ''), 'hex');
  return encode(value as ReferenceField[]);
}

/** §1: a message is the label, the installation id, the fields. */
export function message(domain: string, installationId: string, fields: ReferenceField[]): Buffer {
  return encode([['text', `coffer:${domain}`], ['bytes', installationId], ...fields]);
}

/** RFC 5869, extract and expand by hand. */
export function hkdf(secret: Buffer, info: string, length: number): Buffer {
  const pseudorandom = hmac(Buffer.alloc(32), secret);
  let block = Buffer.alloc(0);
  const blocks: Buffer[] = [];
  for (let counter = 1; blocks.length * 32 < length; counter += 1) {
    block = hmac(pseudorandom, Buffer.concat([block, Buffer.from(info, 'ascii'), Buffer.from([counter])]));
    blocks.push(block);
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** §3, by counting up from the smallest length that has room. */
export function paddedLength(length: number): number {
  const needed = length + 1;
  if (needed <= 1024) {
    let blocks = 32;
    while (blocks < needed) blocks += 32;
    return blocks;
  }
  let e = 0;
  while (2 ** (e + 1) <= needed) e += 1;
  let s = 0;
  while (2 ** (s + 1) <= e) s += 1;
  s += 1;
  const zeros = 2 ** (e - s);
  let padded = needed;
  while (padded % zeros !== 0) padded += 1;
  return padded;
}

export function pad(payload: Buffer): Buffer {
  const zeros = paddedLength(payload.length) - payload.length - 1;
  return Buffer.concat([payload, Buffer.from([0x80]), Buffer.alloc(zeros)]);
}

/** §2.1. */
export function sealPayload(
  dek: Buffer,
  nonce: Buffer,
  payload: Buffer,
  context: Buffer,
): { head: Buffer; body: Buffer } {
  const okm = hkdf(dek, 'coffer:payload-key-and-commitment', 64);
  const cipher = createCipheriv('aes-256-gcm', okm.subarray(0, 32), nonce);
  cipher.setAAD(context);
  const body = Buffer.concat([cipher.update(pad(payload)), cipher.final()]);
  const head = Buffer.concat([Buffer.from([1]), nonce, okm.subarray(32), cipher.getAuthTag()]);
  return { head, body };
}

/**
 * §2.2: XChaCha20-Poly1305 is ChaCha20-Poly1305 under a key from HChaCha20 over the first 16 bytes of the
 * nonce.
 */
export function wrapKey(wrappingKey: Buffer, nonce: Buffer, key: Buffer, context: Buffer): Buffer {
  const inner = Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]);
  const cipher = createCipheriv('chacha20-poly1305', hchacha20(wrappingKey, nonce.subarray(0, 16)), inner, {
    authTagLength: 16,
  });
  cipher.setAAD(context, { plaintextLength: key.length });
  const sealed = Buffer.concat([cipher.update(key), cipher.final()]);
  return Buffer.concat([Buffer.from([2]), nonce, sealed, cipher.getAuthTag()]);
}

/** §2.2, opened. */
export function unwrapKey(wrappingKey: Buffer, wrapped: Buffer, context: Buffer): Buffer {
  const nonce = wrapped.subarray(1, 25);
  const inner = Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]);
  const decipher = createDecipheriv(
    'chacha20-poly1305',
    hchacha20(wrappingKey, nonce.subarray(0, 16)),
    inner,
    {
      authTagLength: 16,
    },
  );
  decipher.setAAD(context, { plaintextLength: 32 });
  decipher.setAuthTag(wrapped.subarray(57));
  return Buffer.concat([decipher.update(wrapped.subarray(25, 57)), decipher.final()]);
}

/** §2.3. */
export function sealRow(rowsKey: Buffer, layout: number, rowMessage: Buffer): Buffer {
  const header = Buffer.concat([Buffer.from([3]), uint(layout, 2)]);
  return Buffer.concat([header, hmac(rowsKey, Buffer.concat([header, rowMessage]))]);
}

/** draft-irtf-cfrg-xchacha-03, §2.2. */
function hchacha20(key: Buffer, nonce: Buffer): Buffer {
  const state = new Uint32Array(16);
  state.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  for (let at = 0; at < 8; at += 1) state[4 + at] = key.readUInt32LE(4 * at);
  for (let at = 0; at < 4; at += 1) state[12 + at] = nonce.readUInt32LE(4 * at);
  for (let round = 0; round < 10; round += 1) {
    for (const column of [0, 1, 2, 3]) quarter(state, column, column + 4, column + 8, column + 12);
    for (const [a, b, c, d] of [
      [0, 5, 10, 15],
      [1, 6, 11, 12],
      [2, 7, 8, 13],
      [3, 4, 9, 14],
    ] as const)
      quarter(state, a, b, c, d);
  }
  const out = Buffer.alloc(32);
  for (const [at, word] of [0, 1, 2, 3, 12, 13, 14, 15].entries()) out.writeUInt32LE(state[word]!, 4 * at);
  return out;
}

function quarter(x: Uint32Array, a: number, b: number, c: number, d: number): void {
  for (const [left, right, other, bits] of [
    [a, b, d, 16],
    [c, d, b, 12],
    [a, b, d, 8],
    [c, d, b, 7],
  ] as const) {
    x[left] = x[left]! + x[right]!;
    const mixed = x[other]! ^ x[left];
    x[other] = (mixed << bits) | (mixed >>> (32 - bits));
  }
}

function hmac(key: Buffer, content: Buffer): Buffer<ArrayBuffer> {
  return Buffer.from(createHmac('sha256', key).update(content).digest());
}

function uint(value: number, length: number): Buffer {
  const out = Buffer.alloc(length);
  out.writeUIntBE(value, 0, length);
  return out;
}

function signed64(value: bigint): Buffer {
  return Buffer.from(BigInt.asUintN(64, value).toString(16).padStart(16, '0'), 'hex');
}
