import { randomBytes } from 'node:crypto';
import type { Scanner } from './scanner.ts';

/** Makes the secret inputs of a run, each of which the scanner knows from its making on. */
export class CanaryValues {
  readonly #scanner: Scanner;
  #made = 0;

  constructor(scanner: Scanner) {
    this.#scanner = scanner;
  }

  /** With characters that every kind of text escapes in its own way. */
  text(label: string): string {
    return this.#know(label, `${randomText()}"é\\ %&+\t'<${randomText()}`);
  }

  /** Letters and digits alone, for where nothing else may stand. */
  word(label: string): string {
    return this.#know(label, randomText());
  }

  bytes(label: string): Buffer {
    return this.#know(label, randomBytes(64));
  }

  /** What was made elsewhere: a token, a key. */
  know(label: string, value: Buffer | string): void {
    this.#know(label, value);
  }

  get count(): number {
    return this.#made;
  }

  #know<T extends Buffer | string>(label: string, value: T): T {
    this.#scanner.add(label, value);
    this.#made += 1;
    return value;
  }
}

function randomText(): string {
  return BigInt(`0x${randomBytes(20).toString('hex')}`)
    .toString(36)
    .padStart(31, '0');
}
