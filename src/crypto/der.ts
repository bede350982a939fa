/** One value of DER (X.690 §8, §10): what it says it is, and the bytes of its content and of all of it. */
export interface DerValue {
  tag: number;
  content: Uint8Array;
  whole: Uint8Array;
}

export const DER_TAGS = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  sequence: 0x30,
  context0: 0xa0,
} as const;

const LENGTH_BYTES_MAX = 4;

/**
 * The values that follow one another in the bytes, without looking into them; undefined when the bytes are
 * anything but whole values with definite lengths. The views share the memory of the input.
 */
export function readDer(input: Uint8Array): DerValue[] | undefined {
  const values: DerValue[] = [];
  let offset = 0;
  while (offset < input.length) {
    const value = readValue(input.subarray(offset));
    if (value === undefined) return undefined;
    values.push(value);
    offset += value.whole.length;
  }
  return values;
}

/** The values inside the one value of this tag that the input is; undefined for any other input. */
export function readInside(input: Uint8Array, tag: number): DerValue[] | undefined {
  const [value, ...rest] = readDer(input) ?? [];
  return value?.tag === tag && rest.length === 0 ? readDer(value.content) : undefined;
}

function readValue(input: Uint8Array): DerValue | undefined {
  const [tag, first] = input;
  // Tags of more than one byte are in nothing that is read here.
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  let start = 2;
  let length = first;
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f;
    if (lengthBytes === 0 || lengthBytes > LENGTH_BYTES_MAX) return undefined;
    start += lengthBytes;
    length = input.subarray(2, start).reduce((sum, byte) => sum * 256 + byte, 0);
  }
  if (input.length < start + length) return undefined;
  return { tag, content: input.subarray(start, start + length), whole: input.subarray(0, start + length) };
}

/** A non-negative INTEGER that fits into a number. */
export function readSmallInteger(value: DerValue | undefined): number | undefined {
  if (value?.tag !== DER_TAGS.integer) return undefined;
  const [first = 0xff] = value.content;
  if (first >= 0x80 || value.content.length > 6) return undefined;
  return value.content.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** The identifier and the parameters of an AlgorithmIdentifier (RFC 5280 §4.1.1.2); the identifier in hex. */
export function readAlgorithm(
  value: DerValue | undefined,
): { id: string; parameters: DerValue | undefined } | undefined {
  if (value?.tag !== DER_TAGS.sequence) return undefined;
  const [id, parameters] = readDer(value.content) ?? [];
  if (id?.tag !== DER_TAGS.objectIdentifier) return undefined;
  return { id: Buffer.from(id.content).toString('hex'), parameters };
}
