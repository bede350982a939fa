import { CofferError } from '../errors.ts';
import {
  checkObject,
  type ObjectSchema,
  type PropertyRule,
  schemaMismatch,
} from '../http/json-schema-messages.ts';
import { stripTexts } from '../http/python-text.ts';

export const CONTAINER_TYPES = ['generic', 'rsa', 'certificate'] as const;
type ContainerType = (typeof CONTAINER_TYPES)[number];

/** A slot as it is asked for; a reference of ours that ends in no id names no secret. */
export interface WantedSlot {
  name: string | null;
  secretId: string | undefined;
  reference: string;
}

export interface NewContainer {
  type: ContainerType;
  name: string | null;
  slots: readonly WantedSlot[];
}

/** The secret's id in a reference; throws for one that is not of this service. */
type ReadReference = (reference: string) => string | undefined;

const reference: PropertyRule = { types: ['string'], lengthMin: 1, required: true };

export const NEW_CONTAINER: ObjectSchema = {
  name: 'Container',
  properties: {
    name: { types: ['string', 'null'], lengthMax: 255 },
    type: { types: ['string'], oneOf: CONTAINER_TYPES, required: true },
    secret_refs: {
      types: ['array'],
      items: {
        types: ['object'],
        properties: { name: { types: ['string', 'null'], lengthMax: 255 }, secret_ref: reference },
      },
    },
  },
};

export const CONTAINER_SECRET: ObjectSchema = {
  name: 'ContainerSecret',
  properties: { name: { types: ['string'], lengthMax: 255 }, secret_ref: reference },
};

/** A container holds no more: each change writes all of them. */
const SLOTS_MAX = 1_000;

interface SlotFields {
  name?: string | null;
  secret_ref: string;
}

/** The body of a creation: shape, names, ids, references, then the type's own rules. */
export function parseNewContainer(body: unknown, readReference: ReadReference): NewContainer {
  const fields = checkObject(NEW_CONTAINER, stripTexts(body)) as {
    name?: string | null;
    type: ContainerType;
    secret_refs?: SlotFields[];
  };
  const items = fields.secret_refs ?? [];
  const names = items.map(({ name }) => name ?? '');
  require(new Set(names).size === items.length, 'Duplicate reference names are not allowed');
  const ids = items.map((item) => lastSegment(item.secret_ref));
  require(new Set(ids).size === items.length, 'Duplicate secret ids are not allowed');
  const slots = items.map((item) => parseSlot(item, readReference));
  requireNames(fields.type, new Set(names));
  requireRoom(slots.length);
  return { type: fields.type, name: fields.name ?? null, slots };
}

/** The body of adding or removing a secret. */
export function parseContainerSecret(body: unknown, readReference: ReadReference): WantedSlot {
  const fields = checkObject(CONTAINER_SECRET, stripTexts(body)) as unknown as SlotFields;
  return parseSlot(fields, readReference);
}

/** @throws CofferError `bad_request` when a container cannot hold that many. */
export function requireRoom(slots: number): void {
  if (slots > SLOTS_MAX) {
    throw new CofferError('bad_request', `A container holds at most ${SLOTS_MAX} secrets.`);
  }
}

function parseSlot(fields: SlotFields, readReference: ReadReference): WantedSlot {
  return {
    name: fields.name ?? null,
    secretId: readReference(fields.secret_ref),
    reference: fields.secret_ref,
  };
}

function lastSegment(text: string): string {
  return text.replace(/\/$/, '').split('/').at(-1) ?? '';
}

interface NameRule {
  required: readonly string[];
  allowed: readonly string[];
  refusals: { unknown: string; missing: string };
}

const NAME_RULES: Readonly<Record<Exclude<ContainerType, 'generic'>, NameRule>> = {
  rsa: {
    required: ['public_key', 'private_key'],
    allowed: ['public_key', 'private_key', 'private_key_passphrase'],
    refusals: {
      unknown:
        "only 'private_key', 'public_key' and 'private_key_passphrase' reference names are allowed for RSA type",
      missing: "The minimum required reference names are 'public_key' and'private_key' for RSA type",
    },
  },
  certificate: {
    required: ['certificate'],
    allowed: ['certificate', 'private_key', 'private_key_passphrase', 'intermediates'],
    refusals: {
      unknown:
        "only 'private_key', 'certificate' , 'private_key_passphrase',  or 'intermediates' reference names are allowed for Certificate type",
      missing: "The minimum required reference name is 'certificate' for Certificate type",
    },
  },
};

/** A container may be made empty, whatever its type. */
function requireNames(type: ContainerType, names: ReadonlySet<string>): void {
  if (type === 'generic' || names.size === 0) return;
  const { required, allowed, refusals } = NAME_RULES[type];
  require([...names].every((name) => allowed.includes(name)), refusals.unknown);
  require(required.every((name) => names.has(name)), refusals.missing);
}

function require(condition: boolean, reason: string): void {
  if (!condition) throw schemaMismatch(NEW_CONTAINER.name, reason, 'secret_refs');
}
