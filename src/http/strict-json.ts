import { CofferError } from '../errors.ts';

const depthMax = 32;

function malformed(): CofferError {
  return new CofferError('bad_request', 'Malformed JSON');
}

export interface StrictJsonOptions {
  /** Whoever reads the body refuses a NUL where it cannot be kept. */
  allowsNul?: boolean;
}

/**
 * JSON that has one meaning only: UTF-8 without a byte order mark, no lone surrogate, no NUL (PostgreSQL's
 * text has none), at most 32 levels, no key that reaches a prototype. The last of a repeated key wins.
 */
export function parseStrictJson(bytes: Uint8Array, { allowsNul = false }: StrictJsonOptions = {}): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CofferError('bad_request', '');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed();
  }
  requireSound(value, 1, allowsNul);
  return value;
}

function requireSound(value: unknown, depth: number, allowsNul: boolean): void {
  if (typeof value === 'string') {
    requireSoundText(value, allowsNul);
  } else if (typeof value === 'object' && value !== null) {
    if (depth > depthMax) throw malformed();
    for (const [key, child] of Object.entries(value)) {
      requireSoundText(key, allowsNul);
      if (
        key === '__proto__' ||
        (key === 'constructor' && isObject(child) && Object.hasOwn(child, 'prototype'))
      ) {
        throw malformed();
      }
      requireSound(child, depth + 1, allowsNul);
    }
  }
}

function requireSoundText(text: string, allowsNul: boolean): void {
  if ((!allowsNul && text.includes('\0')) || !text.isWellFormed()) throw malformed();
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
