import { type Flags, UsageError } from './command.ts';

export const appFlags: Flags = {
  project: { type: 'string', description: 'The project whose secrets it may use.', placeholder: 'PROJECT' },
  'create-project': { type: 'boolean', description: 'Make the project if it is not there.' },
  role: {
    type: 'string',
    multiple: true,
    description: 'A role there; repeat it for more. Default: observer, or member with COFFER_POLICY=secure.',
    placeholder: 'ROLE',
  },
  allow: {
    type: 'string',
    multiple: true,
    description:
      'Allow such requests alone; repeat it for more. In PATH * is one segment or a part, ** anything.',
    placeholder: 'METHOD:PATH',
  },
  expires: {
    type: 'string',
    description: 'When it ends: 90d, 12h, or a date. Default: never.',
    placeholder: 'TIME',
  },
  source: {
    type: 'string',
    description: 'Only from there may the code be redeemed: an address or a range of them.',
    placeholder: 'CIDR',
  },
  'print-secret': { type: 'boolean', description: 'Print the secret itself, and no code.' },
};

const METHODS = ['DELETE', 'GET', 'HEAD', 'PATCH', 'POST', 'PUT'];
const PATH_LENGTH_MAX = 225;

/** `GET:/v1/secrets/**` as an access rule of the key manager. */
export function parseAllowed(text: string): { service: string; method: string; path: string } {
  const [, method = '', path = ''] = /^([A-Za-z]+):(\/.*)$/.exec(text) ?? [];
  const known = METHODS.find((one) => one === method.toUpperCase());
  if (known === undefined || path.length > PATH_LENGTH_MAX || /[\p{Cc}\p{Cs}]/u.test(path)) {
    throw new UsageError(
      `--allow takes METHOD:PATH, as GET:/v1/secrets/**; methods are ${METHODS.join(', ')}`,
    );
  }
  return { service: 'key-manager', method: known, path };
}

const UNITS: Readonly<Record<string, number>> = { m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** `90d`, `12h`, or a date with or without a time, in UTC. */
export function parseExpires(text: string | undefined, now: Date): Date | null {
  if (text === undefined) return null;
  const [, count, unit = ''] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  const isDate = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?Z?)?$/.test(text);
  const date = new Date(isDate && text.includes('T') && !text.endsWith('Z') ? `${text}Z` : text);
  const ends =
    count === undefined ? date : new Date(now.getTime() + Number(count) * (UNITS[unit] ?? 0) * 1000);
  const isSound = (count !== undefined || isDate) && !Number.isNaN(ends.getTime()) && ends > now;
  if (!isSound) throw new UsageError('--expires takes a time to come, as 90d, 12h, 30m or 2030-01-31');
  return ends;
}
