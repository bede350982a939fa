import { CofferError } from '../errors.ts';

interface Range {
  type: string;
  quality: number;
}

function parseAccept(header: string): Range[] {
  return header
    .split(',')
    .map((part) => {
      const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
      const quality = parameters.find((parameter) => /^q\s*=/.test(parameter));
      return { type, quality: quality === undefined ? 1 : Number(quality.replace(/^q\s*=\s*/, '')) };
    })
    .filter((range) => range.type !== '');
}

/** Whether a JSON answer suits the header; the most specific range decides, and none at all means anything goes. */
export function acceptsJson(header: string | undefined): boolean {
  if (header === undefined || header === '*/*' || header === 'application/json') return true;
  const ranges = parseAccept(header);
  if (ranges.length === 0) return true;
  for (const type of ['application/json', 'application/*', '*/*']) {
    const matching = ranges.filter((range) => range.type === type);
    if (matching.length > 0) return matching.some((range) => range.quality > 0);
  }
  return false;
}

export function requireJsonAccepted(header: string | undefined): void {
  if (!acceptsJson(header)) throw new CofferError('not_acceptable', null);
}

/**
 * How a payload is asked for: `raw` is the bytes under the content type named here, `text` the same but only when they
 * are UTF-8, `stored` the bytes under the type they were stored with.
 */
export type PayloadAccept = { as: 'raw' | 'text'; contentType: string } | { as: 'stored' };

/** Undefined: not acceptable, which is any list, any q-value and any type that payloads cannot have. */
export function payloadAccept(header: string | undefined): PayloadAccept | undefined {
  const asked = (header ?? '').trim();
  switch (asked.toLowerCase().replace(/\s*;\s*/, ';')) {
    case '':
      return { as: 'raw', contentType: 'application/octet-stream' };
    case '*/*':
      return { as: 'stored' };
    case 'text/plain':
      return { as: 'text', contentType: 'text/plain; charset=UTF-8' };
    case 'text/plain;charset=utf-8':
      return { as: 'text', contentType: asked };
    case 'application/octet-stream':
      return { as: 'raw', contentType: 'application/octet-stream' };
    case 'application/pkcs8':
      return { as: 'raw', contentType: 'application/pkcs8' };
    default:
      return undefined;
  }
}

/**
 * What `GET /v1/secrets/{id}` is asked for: metadata whenever JSON is acceptable, the payload (deprecated) for a single
 * type that payloads can have or an empty header, nothing (undefined, 406) for the rest.
 */
export function secretAccept(header: string | undefined): 'metadata' | PayloadAccept | undefined {
  if (header !== '' && acceptsJson(header)) return 'metadata';
  return payloadAccept(header);
}
