/** A block of PEM (RFC 7468, and the headers of RFC 1421). The body is the caller's to wipe. */
export interface PemBlock {
  label: string;
  headers: ReadonlyMap<string, string>;
  body: Uint8Array;
}

const BEGIN = '-----BEGIN ';
const DASHES = '-----';
const LABEL_LENGTH_MAX = 64;
/** Beginnings that are looked at: each may cost a search through all of the rest. */
const BLOCKS_MAX = 64;
const LINE_FEED = 0x0a;

/** The blocks in a text; what stands around them, and blocks that are not whole, count for nothing. */
export function readPem(text: Uint8Array): PemBlock[] {
  const input = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const blocks: PemBlock[] = [];
  let start = input.indexOf(BEGIN);
  for (let count = 0; start >= 0 && count < BLOCKS_MAX; count += 1) {
    const labelStart = start + BEGIN.length;
    const labelEnd = input.indexOf(DASHES, labelStart);
    if (labelEnd < 0) break;
    const label = input.toString('latin1', labelStart, Math.min(labelEnd, labelStart + LABEL_LENGTH_MAX));
    const end = input.indexOf(`-----END ${label}-----`, labelEnd);
    const block = end < 0 ? undefined : readBlock(label, input.subarray(labelEnd + DASHES.length, end));
    if (block !== undefined) blocks.push(block);
    start = input.indexOf(BEGIN, block === undefined ? labelEnd : end);
  }
  return blocks;
}

function readBlock(label: string, content: Buffer): PemBlock | undefined {
  const headers = new Map<string, string>();
  let start = content.indexOf(LINE_FEED) + 1;
  // Headers are there when the first line has a colon; an empty line ends them.
  for (;;) {
    const end = content.indexOf(LINE_FEED, start);
    if (end < 0) break;
    const line = content.subarray(start, end);
    const colon = line.indexOf(':');
    if (colon < 0) break;
    headers.set(line.toString('latin1', 0, colon), line.toString('latin1', colon + 1).trim());
    start = end + 1;
  }
  const body = decodeBase64(content.subarray(start));
  return body === undefined ? undefined : { label, headers, body };
}

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const DIGITS: ReadonlyMap<number, number> = new Map([...ALPHABET].map((byte, value) => [byte, value]));
const BLANKS: ReadonlySet<number> = new Set([0x09, LINE_FEED, 0x0d, 0x20]);
const PADDING = '='.charCodeAt(0);

/** From bytes to bytes: a string of a key could not be wiped. */
function decodeBase64(text: Uint8Array): Uint8Array | undefined {
  const digits = text.filter((byte) => !BLANKS.has(byte));
  let length = digits.length;
  while (length > 0 && digits[length - 1] === PADDING && digits.length - length < 2) length -= 1;
  const out = new Uint8Array(Math.floor((length * 3) / 4));
  let bits = 0;
  for (let index = 0; index < length; index += 1) {
    const value = DIGITS.get(digits[index] as number);
    if (value === undefined) return undefined;
    bits = ((bits << 6) | value) & 0xff_ffff;
    const filled = Math.floor(((index + 1) * 6) / 8);
    if (filled > Math.floor((index * 6) / 8)) out[filled - 1] = (bits >> (((index + 1) * 6) % 8)) & 0xff;
  }
  digits.fill(0);
  return digits.length % 4 === 0 ? out : undefined;
}
