import { describe, expect, it } from 'vitest';
import { decryptGcm, encryptGcm } from '../../src/crypto/aes-gcm.ts';
import { type Field, decodeFields, encodeFields, encodeMessage } from '../../src/crypto/encoding.ts';
import { deriveKey, openPayload, unwrapKey } from '../../src/crypto/envelope.ts';
import { pad, paddedLength } from '../../src/crypto/padding.ts';
import { makeRowSeal, verifyRowSeal } from '../../src/crypto/row-seal.ts';
import { fromHex, readVectors } from '../vectors/read-vectors.ts';
import * as reference from './reference.ts';
import type { ReferenceField } from './reference.ts';

interface PayloadVector {
  name: string;
  installation: string;
  kind: string;
  project: string;
  owner: string;
  dek: string;
  nonce: string;
  payload: string;
  context: string;
  head: string;
  body: string;
}

interface WrappedKeyVector {
  name: string;
  installation: string;
  domain: string;
  fields: ReferenceField[];
  wrapping_key: string;
  nonce: string;
  key: string;
  context: string;
  wrapped: string;
}

interface RowVector {
  name: string;
  table: string;
  layout: number;
  columns: [name: string, type: string, value: string | boolean | null][];
  message: string;
  seal: string;
}

/** A vector's field as the encoder takes it. */
function fieldOf([kind, value]: ReferenceField): Field {
  if (value === null) return { kind: 'null' };
  if (kind === 'bytes' || kind === 'bytea') return { kind: 'bytes', value: fromHex(value as string) };
  if (kind === 'integer' || kind === 'bigint') return { kind: 'integer', value: BigInt(value as string) };
  if (kind === 'time' || kind === 'timestamptz') return { kind: 'time', value: new Date(value as string) };
  if (kind === 'list') return { kind, value: (value as ReferenceField[]).map(fieldOf) };
  return { kind, value } as Field;
}

describe('the golden encodings', () => {
  const { vectors } = readVectors<{ vectors: { name: string; fields: ReferenceField[]; encoded: string }[] }>(
    'encoding.json',
  );
  it.each(vectors)('$name', ({ fields, encoded }) => {
    expect(reference.encode(fields).toString('hex')).toBe(encoded);
    expect(encodeFields(fields.map(fieldOf)).toString('hex')).toBe(encoded);
    expect(encodeFields(decodeFields(fromHex(encoded))).toString('hex')).toBe(encoded);
    expect(decodeFields(fromHex(encoded)).map(({ kind }) => kind)).toEqual(fields.map(([kind]) => kind));
  });

  it('differ from each other', () => {
    expect(new Set(vectors.map(({ encoded }) => encoded)).size).toBe(vectors.length);
  });
});

describe('the golden padded lengths', () => {
  const { lengths } = readVectors<{ lengths: [number, number][] }>('padding.json');
  it.each(lengths)('%i bytes are stored as %i', (length, stored) => {
    expect(reference.paddedLength(length)).toBe(stored);
    expect(paddedLength(length)).toBe(stored);
    expect(pad(Buffer.alloc(length, 1)).length).toBe(stored);
  });
});

describe('the golden payloads', () => {
  const { vectors } = readVectors<{ vectors: PayloadVector[] }>('payloads.json');
  it.each(vectors)('$name', (vector) => {
    const { installation, kind, project, owner } = vector;
    const [dek, nonce, payload] = [fromHex(vector.dek), fromHex(vector.nonce), fromHex(vector.payload)];
    const context = reference.message('payload', installation, [
      ['text', kind],
      ['text', project],
      ['text', owner],
      ['integer', '1'],
    ]);
    expect(context.toString('hex')).toBe(vector.context);
    const expected = reference.sealPayload(dek, nonce, payload, context);
    expect(expected.head.toString('hex')).toBe(vector.head);
    expect(expected.body.toString('hex')).toBe(vector.body);

    const sealed = { head: fromHex(vector.head), body: fromHex(vector.body) };
    expect(Buffer.from(openPayload(dek, sealed, context)).toString('hex')).toBe(vector.payload);
    const key = reference.hkdf(dek, 'coffer:payload-key-and-commitment', 64).subarray(0, 32);
    const { ciphertext, tag } = encryptGcm(key, nonce, pad(payload), context);
    expect(ciphertext.toString('hex')).toBe(vector.body);
    expect(tag.toString('hex')).toBe(vector.head.slice(-32));
    expect(decryptGcm(key, nonce, sealed.body, tag, context)).toEqual(reference.pad(payload));
  });
});

describe('the golden wrapped keys', () => {
  const { vectors } = readVectors<{ vectors: WrappedKeyVector[] }>('wrapped-keys.json');
  it.each(vectors)('$name', (vector) => {
    const { installation, domain, fields } = vector;
    const [wrappingKey, key] = [fromHex(vector.wrapping_key), fromHex(vector.key)];
    const context = reference.message(domain, installation, fields);
    expect(context.toString('hex')).toBe(vector.context);
    expect(encodeMessage(domain, fromHex(installation), fields.map(fieldOf))).toEqual(context);
    const wrapped = reference.wrapKey(wrappingKey, fromHex(vector.nonce), key, context);
    expect(wrapped.toString('hex')).toBe(vector.wrapped);
    expect(Buffer.from(unwrapKey(wrappingKey, wrapped, context)).toString('hex')).toBe(vector.key);
  });
});

describe('the golden row seals', () => {
  const file = readVectors<{
    installation: string;
    integrity_key: string;
    rows_key: string;
    vectors: RowVector[];
  }>('row-seals.json');
  const rowsKey = fromHex(file.rows_key);

  it('are made with a key derived from the integrity key', () => {
    expect(reference.hkdf(fromHex(file.integrity_key), 'coffer:rows', 32)).toEqual(rowsKey);
    expect(Buffer.from(deriveKey(fromHex(file.integrity_key), 'rows'))).toEqual(rowsKey);
  });

  it.each(file.vectors)('$name', ({ table, layout, columns, message, seal }) => {
    const fields: ReferenceField[] = [
      ['text', table],
      ...columns.map(([, type, value]) => [type, value]),
    ] as never;
    expect(reference.message('row', file.installation, fields).toString('hex')).toBe(message);
    expect(reference.sealRow(rowsKey, layout, fromHex(message)).toString('hex')).toBe(seal);
    expect(encodeMessage('row', fromHex(file.installation), fields.map(fieldOf)).toString('hex')).toBe(
      message,
    );
    expect(makeRowSeal(rowsKey, layout, fromHex(message)).toString('hex')).toBe(seal);
    expect(() => verifyRowSeal(rowsKey, fromHex(seal), fromHex(message))).not.toThrow();
  });
});
