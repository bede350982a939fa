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

/**
 * Whether a JSON answer suits the header; the most specific range decides, and none at all means anything
 * goes.
 */
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
