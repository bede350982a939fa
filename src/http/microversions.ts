import { MiddlewareRefusal } from './errors.ts';

export interface Microversion {
  major: number;
  minor: number;
}

export const minMicroversion: Microversion = { major: 1, minor: 0 };
export const maxMicroversion: Microversion = { major: 1, minor: 2 };

export const microversionHeader = 'openstack-api-version';
const service = 'key-manager';

export function formatMicroversion(version: Microversion): string {
  return `${version.major}.${version.minor}`;
}

export function atLeast(version: Microversion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}

/**
 * Several services may share the header, separated by commas; ours alone counts, and its last mention wins.
 */
export function parseMicroversion(header: string | undefined): Microversion {
  if (header === undefined) return minMicroversion;
  let asked: string | undefined;
  for (const part of header.split(',')) {
    const [name, number] = part.trim().split(/\s+/);
    if (name?.toLowerCase() === service) asked = number;
  }
  if (asked === undefined) return minMicroversion;
  if (asked.toLowerCase() === 'latest') return maxMicroversion;
  const match = /^([0-9]{1,9})\.([0-9]{1,9})$/.exec(asked);
  if (match === null)
    throw new MiddlewareRefusal('bad_request', 'Invalid microversion: expected MAJOR.MINOR or latest');
  const version = { major: Number(match[1]), minor: Number(match[2]) };
  if (!atLeast(version, minMicroversion.major, minMicroversion.minor) || isAbove(version, maxMicroversion)) {
    const range = `${formatMicroversion(minMicroversion)} to ${formatMicroversion(maxMicroversion)}`;
    throw new MiddlewareRefusal(
      'not_acceptable',
      `Version ${formatMicroversion(version)} is not supported by the API: supported are ${range}`,
    );
  }
  return version;
}

function isAbove(version: Microversion, max: Microversion): boolean {
  return atLeast(version, max.major, max.minor) && formatMicroversion(version) !== formatMicroversion(max);
}
