import { open } from 'node:fs/promises';
import { CofferError } from '../../errors.ts';
import type {
  PinSource,
  TokenAddress,
  TokenCall,
  TokenFailure,
  TokenReply,
  TokenRequest,
} from './messages.ts';
import { type Cryptoki, describeFailure, Token } from './token.ts';
import { answerCall, wipeAnswer } from './token-calls.ts';
import { InvalidatedToken, isPinRefused, nameOf } from './token-failures.ts';

// The process that holds the vendor's library, because such libraries crash and hang. It serves one parent
// over its channel and ends with it. Whenever the library loses its footing this process ends too: the next
// one initializes, logs in and finds the keys anew, and no handle outlives what it pointed to.

const PIN_BYTES_MAX = 256;
let opened: OpenedToken | undefined;

interface OpenedToken {
  token: Token;
  pin: Pin;
}

interface Pin {
  text: string;
  file: string;
}

process.on('disconnect', () => process.exit(0));
process.on('message', (request: TokenRequest) => {
  void answer(request).then((reply) => {
    process.send?.(reply, undefined, undefined, () => {
      if ('answer' in reply) wipeAnswer(reply.answer);
      else if (reply.failure.kind === 'restart') process.exit(1);
    });
  });
});

async function answer({ id, call, asked }: TokenRequest): Promise<TokenReply> {
  try {
    if (call === 'open') {
      opened = await openToken(asked as TokenAddress);
      const source: PinSource = { file: opened.pin.file, isWrongOneNoted: opened.token.isWrongPinNoted };
      return { id, answer: source };
    }
    if (opened === undefined) throw new InvalidatedToken('the token is not open');
    if (call !== 'logIn') return { id, answer: await answerCall(opened.token, call, asked) };
    opened.token.logIn(opened.pin.text);
    return { id, answer: null };
  } catch (error) {
    return { id, failure: failureOf(call, describeFailure(error)) };
  }
}

async function openToken(address: TokenAddress): Promise<OpenedToken> {
  const cryptoki = await loadCryptoki();
  const pin = await readPin(address.pinFile);
  const module = new cryptoki.PKCS11();
  try {
    module.load(address.module);
  } catch (error) {
    throw new CofferError('configuration', `The PKCS#11 module ${address.module}: ${nameOf(error)}`);
  }
  // Without it SoftHSM crashes within minutes: the sessions are used by several threads.
  module.C_Initialize({ flags: cryptoki.CKF_OS_LOCKING_OK });
  return { token: new Token(cryptoki, module, address), pin };
}

async function loadCryptoki(): Promise<Cryptoki> {
  try {
    return (await import('pkcs11js')).default;
  } catch {
    throw new CofferError(
      'configuration',
      'The package pkcs11js is missing: it is compiled when Coffer is installed, which takes a C++ compiler, ' +
        'make and Python. Install them, then run: npm install pkcs11js',
    );
  }
}

/** The file's first line. `pkcs11js` takes a PIN as a string alone, so that it cannot be wiped here. */
async function readPin(path: string): Promise<Pin> {
  const { content, file } = await readPrivately(path).catch((error: NodeJS.ErrnoException) => {
    if (error instanceof CofferError) throw error;
    throw new CofferError(
      'configuration',
      `The PIN file ${path} cannot be read (${error.code ?? 'unknown'}).`,
    );
  });
  const end = content.indexOf(0x0a);
  const text = content
    .subarray(0, end < 0 ? content.length : end)
    .toString('utf8')
    .replace(/\r$/, '');
  content.fill(0);
  if (text === '' || text.length > PIN_BYTES_MAX) {
    throw new CofferError('configuration', `The PIN file ${path} has no PIN in its first line.`);
  }
  return { text, file };
}

async function readPrivately(path: string): Promise<{ content: Buffer; file: string }> {
  const handle = await open(path, 'r');
  try {
    const status = await handle.stat({ bigint: true });
    if (status.isFile() && (status.mode & 0o077n) !== 0n) {
      throw new CofferError(
        'configuration',
        `The PIN file ${path} can be read by others. Run: chmod 600 ${path}`,
      );
    }
    const { dev, ino, size, ctimeNs } = status;
    return { content: await handle.readFile(), file: [dev, ino, size, ctimeNs].join(' ') };
  } finally {
    await handle.close();
  }
}

function failureOf(call: TokenCall, error: Error): TokenFailure {
  if (error instanceof CofferError) return { kind: 'refused', code: error.code, message: error.message };
  if (call === 'logIn' && isPinRefused(error)) return { kind: 'pin-refused', message: nameOf(error) };
  if (error instanceof InvalidatedToken) return { kind: 'restart', message: error.message };
  return { kind: 'refused', code: 'unavailable', message: `The token answered ${nameOf(error)}.` };
}
