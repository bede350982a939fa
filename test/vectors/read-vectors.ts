import { readFileSync } from 'node:fs';

/** A file of vectors; its form is the business of the test that reads it. */
export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as T;
}

export const fromHex = (digits: string): Buffer => Buffer.from(digits, 'hex');
