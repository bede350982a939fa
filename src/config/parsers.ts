import { isIP } from 'node:net';
import { resolve } from 'node:path';

/** Why a value cannot be used, without the value: what is wrong and what would be right. */
export class SettingProblem extends Error {}

export interface ListenAddress {
  host: string;
  port: number;
}

export type Parse<T> = (value: string, cwd: string) => T;

export const text: Parse<string> = (value) => {
  if (/[\u0000-\u001f\u007f]/.test(value) || value.trim() !== value) {
    throw new SettingProblem('has blanks around it or control characters in it');
  }
  return value;
};

/** Relative paths start at the working directory. */
export const path: Parse<string> = (value, cwd) => resolve(cwd, text(value, cwd));

export const toggle: Parse<boolean> = (value) => {
  if (value !== '0' && value !== '1') throw new SettingProblem('is 1 (on) or 0 (off)');
  return value === '1';
};

export function oneOf<const T extends string>(...choices: T[]): Parse<T> {
  return (value) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw new SettingProblem(`is one of ${choices.join(', ')}`);
    return choice;
  };
}

export function integerWithin(least: number, most: number): Parse<number> {
  return (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= least && number <= most)) {
      throw new SettingProblem(`is a whole number from ${least} to ${most}`);
    }
    return number;
  };
}

/** -1 for none. */
export const limit: Parse<number> = (value) => {
  const number = /^(?:-1|\d{1,10})$/.test(value) ? Number(value) : Number.NaN;
  if (!(number <= 2_147_483_647)) {
    throw new SettingProblem('is -1 (no limit) or a whole number from 0 to 2147483647');
  }
  return number;
};

const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** In seconds: `90`, `90s`, `15m`, `12h`, `30d`. */
export const duration: Parse<number> = (value) => {
  const [, digits, unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(value) ?? [];
  if (digits === undefined) throw new SettingProblem('is a time as 90s, 15m, 12h or 30d, or 0');
  return Number(digits) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
};

export const listenAddress: Parse<ListenAddress> = (value) => {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(value);
  const [, ipv6, name, digits] = match ?? [];
  const host = ipv6 ?? name ?? '';
  const port = Number(digits);
  if (match === null || port < 1 || port > 65_535 || (ipv6 !== undefined && isIP(ipv6) !== 6)) {
    throw new SettingProblem('is HOST:PORT, as 127.0.0.1:9311 or [::1]:9311');
  }
  return { host, port };
};

export const databaseUrl: Parse<string> = (value) => {
  if (!/^postgres(?:ql)?:\/\//.test(value) || parseDatabaseUrl(value) === undefined) {
    throw new SettingProblem('is a URL as postgresql://USER:PASSWORD@HOST:5432/DATABASE');
  }
  return value;
};

/** A base URL without the slash at its end. */
export const baseUrl: Parse<string> = (value) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const plain = url !== undefined && url.search === '' && url.hash === '' && !/[?#@\s]/.test(value);
  if (!plain || !/^https?:$/.test(url.protocol)) {
    throw new SettingProblem('is a URL as https://secrets.example.org, without user, query or fragment');
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
};

/** Base URLs with commas between them. */
export const baseUrls: Parse<readonly string[]> = (value, cwd) =>
  value.split(',').map((url) => baseUrl(url.trim(), cwd));

/** The URL with `***` in place of each password; all of it hidden when it cannot be taken apart. */
export function hideDatabasePassword(value: string): string {
  const url = parseDatabaseUrl(value);
  if (url === undefined) return '***';
  if (url.password !== '') url.password = '***';
  for (const name of new Set(url.searchParams.keys())) {
    if (/pass/i.test(name)) url.searchParams.set(name, '***');
  }
  return url.href.replace(`@${NO_HOST}`, '@');
}

const NO_HOST = 'no-host-given';

/** Understands `postgresql://user@/database?host=/socket/folder` too, which the URL standard does not. */
function parseDatabaseUrl(value: string): URL | undefined {
  const whole = value.replace(/@(?=[/?]|$)/, `@${NO_HOST}`);
  return URL.canParse(whole) ? new URL(whole) : undefined;
}
