import { createHash } from 'node:crypto';
import { encodeFields, text, uuid } from '../crypto/encoding.ts';
import type { SealedRows } from '../db/schema.ts';
import type { ObjectSchema } from '../http/json-schema-messages.ts';

export type ConsumerTable = 'secret_consumers' | 'container_consumers';
export type ConsumerRow = SealedRows[ConsumerTable];

/** What a consumer says of itself, by its names on the wire. */
export type ConsumerFields = Readonly<Record<string, string>>;

/** Consumers of secrets, or of containers: they differ in what they say. */
export interface ConsumerKind {
  table: ConsumerTable;
  parentTable: 'secrets' | 'containers';
  /** The body that names one. */
  schema: ObjectSchema;
  /** Fields on the wire with their columns, in the order of the schema. */
  columns: readonly (readonly [field: string, column: string])[];
}

const text255 = { types: ['string'], lengthMin: 1, lengthMax: 255, required: true } as const;

export const secretConsumers: ConsumerKind = {
  table: 'secret_consumers',
  parentTable: 'secrets',
  schema: {
    name: 'Secret Consumer',
    properties: { service: text255, resource_type: text255, resource_id: text255 },
  },
  columns: [
    ['service', 'service'],
    ['resource_type', 'resource_type'],
    ['resource_id', 'resource_id'],
  ],
};

export const containerConsumers: ConsumerKind = {
  table: 'container_consumers',
  parentTable: 'containers',
  schema: { name: 'Consumer', properties: { name: { ...text255, lengthMax: 36 }, URL: text255 } },
  columns: [
    ['name', 'name'],
    ['URL', 'url'],
  ],
};

export function consumerFields({ columns }: ConsumerKind, row: ConsumerRow): ConsumerFields {
  const values = row as unknown as Record<string, string>;
  return Object.fromEntries(columns.map(([field, column]) => [field, values[column] ?? '']));
}

/** What says the same of the same parent has the same id: a repetition finds the row, and makes no other. */
export function consumerId(
  { table, columns }: ConsumerKind,
  parentId: string,
  fields: ConsumerFields,
): string {
  const values = columns.map(([field]) => text(fields[field] ?? ''));
  const hash = createHash('sha256').update(encodeFields([text(table), uuid(parentId), ...values]));
  const bytes = hash.digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
