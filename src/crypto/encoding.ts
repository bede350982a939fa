import { CofferError } from '../errors.ts';

/**
 * The one encoder of every additional-data string, every sealed message and every list kept in a row
 * (FORMAT.md §1). Each field is `tag (1) ‖ length (4, big endian) ‖ bytes`, so no two different field lists
 * share an encoding.
 */
export type Field =
  | { kind: 'null' }
  | { kind: 'bytes'; value: Uint8Array }
  | { kind: 'text'; value: string }
  | { kind: 'integer'; value: bigint }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'time'; value: Date }
  | { kind: 'uuid'; value: string }
  | { kind: 'list'; value: readonly Field[] };

const TAGS = { null: 0, bytes: 1, text: 2, integer: 3, boolean: 4, time: 5, uuid: 6, list: 7 } as const;
const KINDS = Object.keys(TAGS) as Field['kind'][];
const FIELD_HEADER_BYTES = 5;
const INTEGER_BYTES = 8;
const UUID_BYTES = 16;
const DEPTH_MAX = 8;
const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const NULL: Field = { kind: 'null' };
export const bytes = (value: Uint8Array | null): Field => (value === null ? NULL : { kind: 'bytes', value });
export const text = (value: string | null): Field => (value === null ? NULL : { kind: 'text', value });
export const integer = (value: bigint | null): Field => (value === null ? NULL : { kind: 'integer', value });
export const boolean = (value: boolean | null): Field => (value === null ? NULL : { kind: 'boolean', value });
export const time = (value: Date | null): Field => (value === null ? NULL : { kind: 'time', value });
export const uuid = (value: string | null): Field => (value === null ? NULL : { kind: 'uuid', value });
export const list = (value: readonly Field[]): Field => ({ kind: 'list', value });

/**
 * Encodes fields one after another; injective: equal bytes mean equal fields.
 *
 * @throws Error (a bug of the caller) for a value outside its type: a lone surrogate, an integer past 64
 *   bits, an invalid date, a uuid that is not lowercase and dashed, lists more than eight deep.
 */
export function encodeFields(fields: readonly Field[]): Buffer {
  // Sized first and written once: every request encodes some thirty fields.
  const out = Buffer.allocUnsafe(sizeOfFields(fields, 0));
  writeFields(fields, out, 0);
  return out;
}

/** `encodeFields` behind a domain label and the installation id: no two uses of a key share a message. */
export function encodeMessage(domain: string, installationId: Uint8Array, fields: readonly Field[]): Buffer {
  return encodeFields([text(`coffer:${domain}`), bytes(installationId), ...fields]);
}

function sizeOfFields(fields: readonly Field[], depth: number): number {
  if (depth > DEPTH_MAX) throw new Error('lists are nested too deep');
  let size = 0;
  for (const field of fields) size += FIELD_HEADER_BYTES + sizeOfValue(field, depth);
  return size;
}

function sizeOfValue(field: Field, depth: number): number {
  switch (field.kind) {
    case 'null':
      return 0;
    case 'bytes':
      return field.value.length;
    case 'text':
      if (!field.value.isWellFormed()) throw new Error('text with a lone surrogate has no encoding');
      return Buffer.byteLength(field.value, 'utf8');
    case 'integer':
      return INTEGER_BYTES;
    case 'boolean':
      return 1;
    case 'time':
      if (Number.isNaN(field.value.getTime())) throw new Error('an invalid date has no encoding');
      return INTEGER_BYTES;
    case 'uuid':
      if (!isUuid(field.value)) throw new Error('not a lowercase, dashed uuid');
      return UUID_BYTES;
    case 'list':
      return sizeOfFields(field.value, depth + 1);
  }
}

/** Writes fields that `sizeOfFields` accepted, and gives the offset after them. */
function writeFields(fields: readonly Field[], out: Buffer, start: number): number {
  let offset = start;
  for (const field of fields) {
    const end = writeValue(field, out, offset + FIELD_HEADER_BYTES);
    out[offset] = TAGS[field.kind];
    out.writeUInt32BE(end - offset - FIELD_HEADER_BYTES, offset + 1);
    offset = end;
  }
  return offset;
}

function writeValue(field: Field, out: Buffer, offset: number): number {
  switch (field.kind) {
    case 'null':
      return offset;
    case 'bytes':
      out.set(field.value, offset);
      return offset + field.value.length;
    case 'text':
      return offset + out.write(field.value, offset, 'utf8');
    case 'integer':
      return out.writeBigInt64BE(field.value, offset);
    case 'boolean':
      return out.writeUInt8(field.value ? 1 : 0, offset);
    case 'time':
      return out.writeBigInt64BE(BigInt(field.value.getTime()), offset);
    case 'uuid':
      return offset + out.write(field.value.replaceAll('-', ''), offset, 'hex');
    case 'list':
      return writeFields(field.value, out, offset);
  }
}

/** Whether the encoder takes it as a uuid: lowercase and dashed, as PostgreSQL prints it. */
export function isUuid(value: string): boolean {
  return UUID_PATTERN.test(value);
}

/**
 * Reads what `encodeFields` wrote, and nothing else: the input must be exactly one canonical encoding.
 *
 * @throws CofferError `integrity_violation` for anything that `encodeFields` cannot have written.
 */
export function decodeFields(encoded: Uint8Array, depth = 0): Field[] {
  const input = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  if (depth > DEPTH_MAX) throw malformed();
  const fields: Field[] = [];
  let offset = 0;
  while (offset < input.length) {
    if (input.length - offset < FIELD_HEADER_BYTES) throw malformed();
    const kind = KINDS[input[offset] as number];
    const length = input.readUInt32BE(offset + 1);
    offset += FIELD_HEADER_BYTES;
    if (kind === undefined || length > input.length - offset) throw malformed();
    fields.push(decodeValue(kind, input.subarray(offset, offset + length), depth));
    offset += length;
  }
  return fields;
}

function decodeValue(kind: Field['kind'], body: Buffer, depth: number): Field {
  switch (kind) {
    case 'null':
      exactly(body, 0);
      return NULL;
    case 'bytes':
      return { kind, value: Uint8Array.from(body) };
    case 'text':
      return { kind, value: decodeText(body) };
    case 'integer':
      exactly(body, 8);
      return { kind, value: body.readBigInt64BE() };
    case 'boolean':
      exactly(body, 1);
      if ((body[0] as number) > 1) throw malformed();
      return { kind, value: body[0] === 1 };
    case 'time':
      exactly(body, 8);
      return { kind, value: decodeTime(body) };
    case 'uuid': {
      exactly(body, 16);
      return { kind, value: body.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') };
    }
    case 'list':
      return { kind, value: decodeFields(body, depth + 1) };
  }
}

function decodeText(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch (cause) {
    throw malformed(cause);
  }
}

function decodeTime(body: Buffer): Date {
  const value = new Date(Number(body.readBigInt64BE()));
  if (Number.isNaN(value.getTime())) throw malformed();
  return value;
}

function exactly(body: Buffer, length: number): void {
  if (body.length !== length) throw malformed();
}

function malformed(cause?: unknown): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation', { cause });
}
