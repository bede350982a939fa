import { schemaMismatch } from '../http/json-schema-messages.ts';
import { stripText } from '../http/python-text.ts';

const ZONE = String.raw`(?:Z|(?<sign>[-+])(?<zoneHour>\d{2}):?(?<zoneMinute>\d{2})?)`;
const SECOND = String.raw`:?(?<second>\d{1,2})(?:[.,](?<fraction>\d+))?`;
const TIME = String.raw`[ T](?<hour>\d{2})(?::?(?<minute>\d{2}))?(?:${SECOND})?`;
const DAY = String.raw`(?:-(?<dayDash>\d{1,2})|(?<day>\d{2}))`;
const MONTH = String.raw`(?:-(?<monthDash>\d{1,2})|(?<month>\d{2})(?!$))`;
const ISO_8601 = new RegExp(`^(?<year>\\d{4})(?:${MONTH}(?:${DAY}(?:${TIME}${ZONE}?)?)?)?$`);

const YEAR_MAX = 9999;
const MINUTE_MS = 60_000;

/**
 * The forms of ISO 8601 that Barbican reads, cut to milliseconds; without a zone it is UTC. Undefined for all
 * else, and for what no calendar has: 30 February, hour 24, second 60, a year that is not 1 to 9999.
 */
export function parseIsoTime(text: string): Date | undefined {
  const parts = ISO_8601.exec(text)?.groups;
  if (parts === undefined) return undefined;
  const year = Number(parts.year);
  const month = Number(parts.monthDash ?? parts.month ?? 1);
  const day = Number(parts.dayDash ?? parts.day ?? 1);
  const [hour, minute, second] = [parts.hour, parts.minute, parts.second].map((part) => Number(part ?? 0));
  const [zoneHour, zoneMinute] = [Number(parts.zoneHour ?? 0), Number(parts.zoneMinute ?? 0)];
  if (hour === undefined || minute === undefined || second === undefined) return undefined;
  if (year < 1 || hour > 23 || minute > 59 || second > 59 || zoneHour * 60 + zoneMinute >= 24 * 60)
    return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second, Number((parts.fraction ?? '').padEnd(3, '0').slice(0, 3)));
  const offset = (zoneHour * 60 + zoneMinute) * (parts.sign === '-' ? -1 : 1);
  const instant = new Date(date.getTime() - offset * MINUTE_MS);
  const utcYear = instant.getUTCFullYear();
  return utcYear < 1 || utcYear > YEAR_MAX ? undefined : instant;
}

/** Blank means that the secret does not expire. */
export function parseExpiration(text: string, now: Date, schema: string): Date | null {
  const stripped = stripText(text);
  if (stripped === '') return null;
  const expiration = parseIsoTime(stripped);
  if (expiration === undefined) throw schemaMismatch(schema, "Invalid date for 'expiration'", 'expiration');
  if (hasEnded({ expiration }, now))
    throw schemaMismatch(schema, "'expiration' is before current time", 'expiration');
  return expiration;
}

/** At its end a secret has ended. */
export function hasEnded({ expiration }: { expiration: Date | null }, now: Date): boolean {
  return expiration !== null && expiration.getTime() <= now.getTime();
}
