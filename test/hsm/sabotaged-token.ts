import '../../src/keyring/pkcs11/token-process.ts';
import pkcs11js from 'pkcs11js';
import type { TokenReply, TokenRequest } from '../../src/keyring/pkcs11/messages.ts';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HEARD, LOGIN_HARM, LOGINS, LOST_FOOTING, SENT_KEYS } from './faults.ts';

// The token's process with ways to harm it from outside, and to look into it.

const LOOK_EVERY_MS = 5;
const here = (name: string): string => join(dirname(process.env['SOFTHSM2_CONF'] ?? ''), name);
let module: string | undefined;

process.on('message', ({ call, asked }: TokenRequest) => {
  if (call === 'open') ({ module } = asked as { module: string });
});

/** A library's state is its process's: a second handle to it closes the sessions of the first. */
function load() {
  const second = new pkcs11js.PKCS11();
  second.load(module ?? '');
  return second;
}

function sayDone(): void {
  writeFileSync(here(HEARD), '');
}

process.on('SIGUSR1', () => {
  const library = load();
  for (const slot of library.C_GetSlotList(true)) library.C_CloseAllSessions(slot);
  sayDone();
});

process.on('SIGUSR2', () => {
  load().C_Finalize();
  sayDone();
});

const encrypted: Uint8Array[] = [];
let hasLostFooting = false;

class SabotagedModule extends pkcs11js.PKCS11 {
  constructor() {
    super();
    // They are made anew for each object.
    const logIn = this.C_Login.bind(this);
    const beginDecryption = this.C_DecryptInit.bind(this);
    const encrypt = this.C_EncryptAsync.bind(this);
    this.C_Login = (...given) => {
      harmLogin();
      logIn(...given);
    };
    this.C_DecryptInit = (...given) => {
      hasLostFooting ||= existsSync(here(LOST_FOOTING));
      if (hasLostFooting) throw new Error('CKR_VENDOR_DEFINED');
      beginDecryption(...given);
    };
    this.C_EncryptAsync = async (session, plaintext, room) => {
      encrypted.push(plaintext);
      return await encrypt(session, plaintext, room);
    };
  }
}

Object.assign(pkcs11js, { PKCS11: SabotagedModule });

function harmLogin(): void {
  appendFileSync(here(LOGINS), `${process.pid}\n`);
  const harm = existsSync(here(LOGIN_HARM)) ? readFileSync(here(LOGIN_HARM), 'utf8') : '';
  if (harm === 'stall') stall();
  if (harm === 'crash') process.kill(process.pid, 'SIGKILL');
  if (harm.startsWith('CKR_')) throw new Error(harm);
}

function stall(): void {
  sayDone();
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  while (existsSync(here(LOGIN_HARM))) Atomics.wait(nobody, 0, 0, LOOK_EVERY_MS);
}

/** After each answer: whether a byte is left of what was sent, and of what was encrypted for it. */
const send = process.send?.bind(process);
const watchedSend = (
  reply: TokenReply,
  handle: undefined,
  options: undefined,
  done: (error: Error | null) => void,
): boolean =>
  send?.(reply, handle, options, (error) => {
    done(error);
    if ('failure' in reply) return;
    const kept = [...bytesIn(reply.answer), ...encrypted.splice(0)];
    const left = kept.filter((bytes) => bytes.some((byte) => byte !== 0));
    if (kept.length > 0) appendFileSync(here(SENT_KEYS), `${kept.length} ${left.length}\n`);
  }) ?? false;
process.send = watchedSend as NonNullable<typeof process.send>;

function bytesIn(answer: unknown): Uint8Array[] {
  if (answer instanceof Uint8Array) return [answer];
  return Object.values(answer ?? {}).filter((part) => part instanceof Uint8Array);
}
