import { checkObject, type ObjectSchema, schemaMismatch } from '../http/json-schema-messages.ts';
import { stripTexts } from '../http/python-text.ts';

export interface NewTransportKey {
  pluginName: string;
  transportKey: string;
}

export const TRANSPORT_KEY: ObjectSchema = {
  name: 'Transport Key',
  properties: { plugin_name: { types: ['string'], lengthMax: 255 }, transport_key: { types: ['string'] } },
};

export function parseTransportKey(body: unknown): NewTransportKey {
  const fields = checkObject(TRANSPORT_KEY, stripTexts(body));
  return {
    pluginName: required(fields, 'plugin_name'),
    transportKey: required(fields, 'transport_key'),
  };
}

function required(fields: Readonly<Record<string, unknown>>, name: string): string {
  const text = fields[name];
  if (typeof text !== 'string' || text === '') {
    throw schemaMismatch(TRANSPORT_KEY.name, `${name} must be provided`, name);
  }
  return text;
}
