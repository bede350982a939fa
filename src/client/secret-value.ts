import { CofferError } from './coffer-error.ts';

/** Node asks this method how `console.log` and `util.inspect` show an object. */
const inspectCustom = Symbol.for('nodejs.util.inspect.custom');

/**
 * A secret's value, wrapped so that nothing prints it by accident: `console.log`, `util.inspect`, template
 * strings, `String()` and `JSON.stringify` show its name. Only `bytes()` and `text()` give the value away.
 */
export class SecretValue {
  /** The name it prints as: the secret's name when known, else its id. */
  readonly name: string;
  #bytes: Uint8Array | undefined;

  /** Takes over `bytes`: do not write to them afterwards; `wipe()` overwrites them. */
  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.#bytes = bytes;
  }

  #held(): Uint8Array {
    if (this.#bytes === undefined) throw new CofferError('wiped', `the value of ${this.name} was wiped`);
    return this.#bytes;
  }

  /** The length in bytes. Throws `CofferError` `wiped` after `wipe()`. */
  get length(): number {
    return this.#held().length;
  }

  /** A copy of the value, which the caller owns and wipes. Throws `CofferError` `wiped` after `wipe()`. */
  bytes(): Uint8Array {
    return this.#held().slice();
  }

  /**
   * The value as text. A JavaScript string cannot be wiped: prefer `bytes()` for keys. Throws `CofferError`
   * `not_text` when the value is not UTF-8, and `wiped` after `wipe()`. A byte order mark is kept.
   */
  text(): string {
    const bytes = this.#held();
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new CofferError('not_text', `the value of ${this.name} is not UTF-8 text; use bytes()`);
    }
  }

  /** Overwrites the value with zeros. Copies that `bytes()` and `text()` gave out stay. */
  wipe(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  /** The name in brackets, never the value. */
  toString(): string {
    return `[secret ${this.name}]`;
  }

  /** The name in brackets, never the value. */
  toJSON(): string {
    return this.toString();
  }

  /** The name in brackets, never the value. */
  [Symbol.toPrimitive](): string {
    return this.toString();
  }

  /** What Node prints: the name in brackets, never the value. */
  [inspectCustom](): string {
    return this.toString();
  }
}
