import { CofferError } from '../errors.ts';
import { lengthOf, repr } from './python-text.ts';

type JsonType = 'string' | 'null' | 'integer' | 'boolean' | 'object' | 'array';

export interface PropertyRule {
  types: readonly JsonType[];
  lengthMin?: number;
  lengthMax?: number;
  minimum?: number;
  maximum?: number;
  oneOf?: readonly string[];
  required?: true;
  /** Of each element of an array. */
  items?: PropertyRule;
  /** Of an object, in the order in which they are checked. */
  properties?: Readonly<Record<string, PropertyRule>>;
  /** The value may be a secret: the message says what is wrong with it without showing it. */
  withheld?: true;
}

export interface ObjectSchema {
  /** As the message names it: `Secret`, `SecretMetadatum`, `ACL`. */
  name: string;
  /** In the order in which they are checked: the first failure is the one that is told. */
  properties: Readonly<Record<string, PropertyRule>>;
  closed?: true;
  /** The property of the body that holds the object: messages name it, whatever is wrong inside. */
  within?: string;
}

/** The refusal that every schema of the key-manager API words alike. */
export function schemaMismatch(schema: string, reason: string, property: string | null): CofferError {
  return new CofferError(
    'bad_request',
    `Provided object does not match schema '${schema}': ${reason}. Invalid property: '${property ?? 'None'}'`,
  );
}

/**
 * Checks a body as python-jsonschema does and words the refusal as it does: what concerns the whole object is
 * told before what concerns one property, and properties are told in the order of the schema.
 */
export function checkObject(schema: ObjectSchema, body: unknown): Record<string, unknown> {
  if (!isOfType(body, 'object')) {
    throw schemaMismatch(schema.name, `${shownWhole(body)} is not of type 'object'`, schema.within ?? null);
  }
  const object = body as Record<string, unknown>;
  if (schema.closed) refuseUnknown(schema, object);
  for (const [name, rule] of Object.entries(schema.properties)) {
    if (Object.hasOwn(object, name)) {
      const reason = mismatchOf(rule, object[name]);
      if (reason !== undefined) throw schemaMismatch(schema.name, reason, schema.within ?? name);
    } else if (rule.required) {
      throw schemaMismatch(schema.name, `${repr(name)} is a required property`, schema.within ?? name);
    }
  }
  return object;
}

function refuseUnknown(schema: ObjectSchema, object: Record<string, unknown>): void {
  const extras = Object.keys(object).filter((key) => !Object.hasOwn(schema.properties, key));
  if (extras.length === 0) return;
  const verb = extras.length === 1 ? 'was' : 'were';
  const names = extras.slice(0, 5).map(repr).join(', ');
  const reason = `Additional properties are not allowed (${names} ${verb} unexpected)`;
  throw schemaMismatch(schema.name, reason, schema.within ?? null);
}

/** What is wrong with the value of a property, in python-jsonschema's words; undefined for what suits it. */
export function mismatchOf(rule: PropertyRule, value: unknown): string | undefined {
  const shown = rule.withheld ? 'the value' : repr(value);
  if (!rule.types.some((type) => isOfType(value, type))) {
    return `${shown} is not of type ${rule.types.map(repr).join(', ')}`;
  }
  if (typeof value === 'string') {
    const length = lengthOf(value);
    if (rule.lengthMin !== undefined && length < rule.lengthMin) return `${shown} is too short`;
    if (rule.lengthMax !== undefined && length > rule.lengthMax) return `${shown} is too long`;
  }
  if (typeof value === 'number') {
    if (rule.minimum !== undefined && value < rule.minimum) {
      return `${shown} is less than the minimum of ${rule.minimum}`;
    }
    if (rule.maximum !== undefined && value > rule.maximum) {
      return `${shown} is greater than the maximum of ${rule.maximum}`;
    }
  }
  if (rule.oneOf !== undefined && !rule.oneOf.includes(value as string)) {
    return `${shown} is not one of ${repr(rule.oneOf)}`;
  }
  return failureWithin(rule, value);
}

/** What is wrong inside: the message names the property at the top all the same. */
function failureWithin({ items, properties }: PropertyRule, value: unknown): string | undefined {
  if (items !== undefined && Array.isArray(value)) {
    return first(value, (item) => mismatchOf(items, item));
  }
  if (properties === undefined || !isOfType(value, 'object')) return undefined;
  const object = value as Record<string, unknown>;
  return first(Object.entries(properties), ([name, rule]) => {
    if (Object.hasOwn(object, name)) return mismatchOf(rule, object[name]);
    return rule.required ? `${repr(name)} is a required property` : undefined;
  });
}

function first<T>(items: readonly T[], check: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const reason = check(item);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function isOfType(value: unknown, type: JsonType): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}

/** A body encoded twice, or wrapped in a list, has its secret inside: only what cannot hold one is shown. */
function shownWhole(body: unknown): string {
  return body === null || typeof body === 'boolean' ? repr(body) : 'the value';
}
