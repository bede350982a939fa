/** Everything a value may look like where it should not be. */
type Encoding = (value: Buffer) => (Buffer | string)[];

const percent = (value: Buffer, digits: 'lower' | 'upper'): string =>
  [...value].map((byte) => `%${hexOf(byte, digits)}`).join('');
/** RFC 3986, §2.3. */
const keepUnreserved = (escaped: string): string =>
  escaped.replace(/%(..)/g, (whole, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[\w.~-]/.test(character) ? character : whole;
  });
const hexOf = (byte: number, digits: 'lower' | 'upper'): string => {
  const hex = byte.toString(16).padStart(2, '0');
  return digits === 'upper' ? hex.toUpperCase() : hex;
};
/** Text where it is text; bytes that are none, one character each. */
const textOf = (value: Buffer): string => {
  const text = value.toString('utf8');
  return Buffer.from(text).equals(value) ? text : value.toString('latin1');
};
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);
const escapeAll = (text: string): string =>
  text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The characters of base64 that this value alone decides, behind `offset` bytes of something else. */
function base64At(value: Buffer, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), value]);
  return bytes.toString('base64').slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
}

const encodings: Readonly<Record<string, Encoding>> = {
  raw: (value) => [value],
  hex: (value) => [value.toString('hex')],
  'upper-case hex': (value) => [value.toString('hex').toUpperCase()],
  base64: (value) => [0, 1, 2].map((offset) => base64At(value, offset)),
  base64url: (value) =>
    [0, 1, 2].map((offset) => base64At(value, offset).replaceAll('+', '-').replaceAll('/', '_')),
  'URL-escaped': (value) => [
    percent(value, 'lower'),
    percent(value, 'upper'),
    keepUnreserved(percent(value, 'lower')),
    keepUnreserved(percent(value, 'upper')),
    encodeURIComponent(textOf(value)),
    new URLSearchParams({ '': textOf(value) }).toString().slice(1),
  ],
  'JSON-escaped': (value) => [inJson(textOf(value)), escapeAll(inJson(textOf(value)))],
  'JSON-escaped twice': (value) => [inJson(inJson(textOf(value)))],
  'UTF-16': (value) => {
    const little = Buffer.from(textOf(value), 'utf16le');
    return [little, Buffer.from(little).swap16()];
  },
  'bytes as util.inspect prints them': (value) => [value.toString('hex').replace(/(?<=.)(?=(..)+$)/g, ' ')],
  'bytes as numbers': (value) => [[...value].join(','), [...value].join(', ')],
};

interface Pattern {
  label: string;
  encoding: string;
  bytes: Buffer;
}

export interface Hit {
  where: string;
  label: string;
  encoding: string;
}

const PIECE_BYTES = 16;
const TABLE_BITS = 20;

/** Looks for many values in many encodings, in one pass over what it is given. */
export class Scanner {
  readonly #patterns = new Map<number, Pattern[]>();
  readonly #table = new Uint8Array(1 << TABLE_BITS);

  /** Each value is looked for by its beginning, its middle and its end: what is cut off is found too. */
  add(label: string, value: Buffer | string): void {
    const whole = Buffer.from(value as string);
    if (whole.length < PIECE_BYTES) throw new Error(`${label} is too short to be told from other bytes`);
    for (const piece of piecesOf(whole)) {
      for (const [encoding, encode] of Object.entries(encodings)) {
        for (const encoded of encode(piece))
          this.#addPattern(label, encoding, Buffer.from(encoded as string));
      }
    }
  }

  scan(where: string, content: Buffer | string): Hit[] {
    const bytes = Buffer.from(content as string);
    const hits: Hit[] = [];
    let window = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      window = ((window << 8) | bytes[at]!) >>> 0;
      if (at < 3 || this.#table[slotOf(window)] === 0) continue;
      for (const { label, encoding, bytes: wanted } of this.#patterns.get(window) ?? []) {
        const begin = at - 3;
        if (bytes.subarray(begin, begin + wanted.length).equals(wanted))
          hits.push({ where, label, encoding });
      }
    }
    return hits;
  }

  #addPattern(label: string, encoding: string, bytes: Buffer): void {
    const window = bytes.readUInt32BE(0);
    const known = this.#patterns.get(window) ?? [];
    if (known.some((pattern) => pattern.label === label && pattern.bytes.equals(bytes))) return;
    this.#patterns.set(window, [...known, { label, encoding, bytes }]);
    this.#table[slotOf(window)] = 1;
  }
}

function slotOf(window: number): number {
  return Math.imul(window, 0x9e37_79b1) >>> (32 - TABLE_BITS);
}

function piecesOf(whole: Buffer): Buffer[] {
  const middle = Math.floor((whole.length - PIECE_BYTES) / 2);
  return [0, middle, whole.length - PIECE_BYTES].map((begin) => whole.subarray(begin, begin + PIECE_BYTES));
}
