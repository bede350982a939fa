import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CofferError, PinRefused } from '../../errors.ts';
import { LoginTries } from './login-tries.ts';
import type {
  PinSource,
  TokenAddress,
  TokenCall,
  TokenCalls,
  TokenFailure,
  TokenReply,
  TokenUse,
} from './messages.ts';

/** What an operator should hear of. */
export interface TokenLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface TokenClientOptions {
  address: TokenAddress;
  log: TokenLog;
  /** The file of the child, where it is not beside this one. */
  childFile?: string;
  /** Milliseconds of a clock that nobody sets back. */
  now?: () => number;
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/** How long whoever asks is let wait, whatever the child is about. */
type Patience = () => number;

const CALL_DEADLINE_MS = 1_500;
const PATIENCE_MS = 1_600;
const OPEN_DEADLINE_MS = 5_000;
const LOGIN_DEADLINE_MS = 5_000;
/** What nobody's request waits for, and takes as long as the token has objects. */
const LONG_CALLS: Readonly<Partial<Record<TokenCall, number>>> = { listTokenKeks: 60_000, describe: 30_000 };
const IN_FLIGHT_MAX = 512;
const RESTART_EVERY_MS = 500;
const LIVED_WELL_MS = 1_000;
const FAILURES_MAX = 3;
const RENEW_MS_MIN = 3_000;
const RENEW_MS_MAX = 60_000;

/**
 * The vendor's library in a process of its own. Calls end within their deadline; a child that died, or hangs
 * and is killed, is replaced, and nothing that happens in it ends this process.
 */
export class TokenClient {
  readonly #options: TokenClientOptions;
  readonly #now: () => number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #tries = new LoginTries();
  #child: ChildProcess | undefined;
  #opening: Promise<void> | undefined;
  #heardAt = 0;
  #isOpen = false;
  #hasStarted = false;
  #lastId = 0;
  #failuresInRow = 0;
  #renewAfterMs = RENEW_MS_MIN;
  #restart: NodeJS.Timeout | undefined;
  #openedAt = 0;
  #notBefore = 0;
  #trouble = 'The token is not open yet; try again.';
  #lastWarning = '';
  #isClosed = false;

  constructor(options: TokenClientOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** How many calls the token works on at once. */
  get sessions(): number {
    return this.#options.address.sessions;
  }

  /** The child's process, for who watches or kills it. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Waits for the token. @throws CofferError `unavailable` or `configuration`: what is wrong and what to do.
   */
  async open(): Promise<void> {
    if (this.#isClosed) throw unavailable('The token was closed.');
    if (this.#isOpen) return;
    this.#opening ??= this.#start().finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  /**
   * Asks the child. The first call after it was lost waits for the next one.
   *
   * @throws CofferError `integrity_violation` for what the token refuses to open; `unavailable` when it does
   *   not answer in time.
   */
  async call<C extends TokenUse>(call: C, asked: TokenCalls[C]['asked']): Promise<TokenCalls[C]['answer']> {
    const left = this.#patience();
    for (let isLast = false; ; isLast = true) {
      if (!this.#isOpen && this.#now() < this.#notBefore) throw unavailable(this.#trouble);
      await within(left(), this.open());
      try {
        const deadline = LONG_CALLS[call] ?? CALL_DEADLINE_MS;
        return await within(left() + deadline - CALL_DEADLINE_MS, this.#ask(call, asked, deadline));
      } catch (error) {
        // The child that was asked is gone, and may have been for a while: the next one is asked once.
        if (isLast || !(error instanceof LostChild)) throw error instanceof LostChild ? error.told : error;
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    this.#lose('The token was closed.');
  }

  /** Whoever starts waits for the token's first answer; whoever serves answers others in time. */
  #patience(): Patience {
    const startMs = this.#hasStarted ? 0 : OPEN_DEADLINE_MS + LOGIN_DEADLINE_MS;
    const end = performance.now() + PATIENCE_MS + startMs;
    return () => end - performance.now();
  }

  async #start(): Promise<void> {
    if (this.#tries.waitFrom(this.#now()) > 0) throw unavailable(this.#trouble);
    const child = fork(this.#options.childFile ?? findChildFile(), [], {
      serialization: 'advanced',
      // A vendor's library writes where it likes; its settings are in the environment, and ours are not its.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [],
      env: { ...vendorEnvironment(), UV_THREADPOOL_SIZE: String(this.#options.address.sessions) },
    });
    this.#child = child;
    child.on('message', (reply: TokenReply) => this.#settle(reply));
    child.on('error', () => this.#forget(child, 'The process of the token could not be started.'));
    child.on('exit', () => this.#forget(child, 'The process of the token ended; it is started again.'));
    try {
      await this.#logIn(await this.#ask('open', this.#options.address, OPEN_DEADLINE_MS));
      this.#isOpen = true;
      this.#openedAt = this.#now();
      this.#failuresInRow = 0;
    } catch (error) {
      const told = toldBy(error);
      this.#lose(told.message);
      this.#restartAfter(told.message);
      throw told;
    } finally {
      this.#hasStarted = true;
    }
  }

  async #logIn(pin: PinSource): Promise<void> {
    try {
      await this.#ask('logIn', null, LOGIN_DEADLINE_MS);
      this.#tries.accept(pin);
    } catch (error) {
      const isRefused = error instanceof PinRefused;
      if (this.#isClosed || (!isRefused && this.#tries.isKnown(pin))) throw error;
      if (!isRefused) this.#warn(toldBy(error).message);
      const { log, address } = this.#options;
      const message = this.#tries.fail(this.#now(), address, isRefused ? error.message : undefined);
      this.#lastWarning = message;
      log.error(message);
      throw new PinRefused(message);
    }
  }

  async #ask<C extends TokenCall>(
    call: C,
    asked: TokenCalls[C]['asked'],
    deadlineMs: number,
  ): Promise<TokenCalls[C]['answer']> {
    const child = this.#child;
    if (child?.connected !== true) throw new LostChild(this.#trouble);
    if (this.#waiting.size >= IN_FLIGHT_MAX) throw unavailable('The token has too much to do; try again.');
    this.#lastId += 1;
    const id = this.#lastId;
    return await new Promise<TokenCalls[C]['answer']>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        // One that answers others has too much to do. Else it hangs, and whatever it holds hangs with it.
        const hangs = performance.now() - this.#heardAt >= deadlineMs;
        const next = hangs ? 'its process is started again' : 'try again';
        const message = `The token did not answer in time; ${next}.`;
        reject(unavailable(message));
        if (hangs) this.#lose(message);
      }, deadlineMs);
      this.#waiting.set(id, { resolve: resolve, reject, timer });
      child.send({ id, call, asked }, (error) => {
        if (error !== null) this.#forget(child, 'The process of the token does not listen.');
      });
    });
  }

  #settle(reply: TokenReply): void {
    this.#heardAt = performance.now();
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if ('failure' in reply) {
      waiting.reject(judge(reply.failure));
      this.#loseAfter(reply.failure);
      return;
    }
    waiting.resolve(reply.answer);
    this.#failuresInRow = 0;
    if (this.#isOpen) this.#renewAfterMs = RENEW_MS_MIN;
  }

  /** Whoever asks again must find the next process, not the one that ends. */
  #loseAfter(failure: TokenFailure): void {
    if (failure.kind === 'restart') this.#lose(judge(failure).message);
    if (failure.kind !== 'refused' || failure.code !== 'unavailable') return;
    this.#failuresInRow += 1;
    // Modules have codes of their own, whose meaning nobody tells: where nothing else is answered, a new
    // process may mend it. One that does not is tried more and more seldom.
    const hasLived = this.#isOpen && this.#now() - this.#openedAt >= this.#renewAfterMs;
    if (this.#failuresInRow < FAILURES_MAX || !hasLived) return;
    this.#renewAfterMs = Math.min(2 * this.#renewAfterMs, RENEW_MS_MAX);
    this.#lose(`${failure.message} Its process is started again, as it answers nothing else.`);
  }

  /** Ends the child, answers all who wait for it, and starts another one soon. */
  #lose(message: string): void {
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGKILL');
    this.#forget(child, message);
  }

  #forget(child: ChildProcess, message: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#isOpen = false;
    const lost = new LostChild(message);
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(lost);
    }
    this.#waiting.clear();
    // Whoever is about to open it says what came of that.
    if (this.#opening === undefined) this.#restartAfter(message);
  }

  #restartAfter(message: string): void {
    if (this.#isClosed) return;
    this.#trouble = message;
    this.#warn(message);
    this.#restartLater();
  }

  /** A token that stays away is said once. */
  #warn(message: string): void {
    if (message !== this.#lastWarning) this.#options.log.warn(message);
    this.#lastWarning = message;
  }

  #restartLater(): void {
    const held = this.#tries.waitFrom(this.#now());
    if (this.#restart !== undefined || this.#isClosed || held === Number.POSITIVE_INFINITY) return;
    // One that served for a while is replaced at once; one that does not come up, or not for long, is not.
    const livedWell = this.#openedAt > 0 && this.#now() - this.#openedAt >= LIVED_WELL_MS;
    const wait = Math.max(livedWell ? 0 : RESTART_EVERY_MS, held);
    this.#openedAt = 0;
    this.#notBefore = this.#now() + wait;
    const started = setTimeout(() => {
      this.#restart = undefined;
      this.open().then(
        () => {
          this.#lastWarning = '';
          this.#options.log.info('the token is open');
        },
        () => this.#restartLater(),
      );
    }, wait);
    this.#restart = started.unref();
  }
}

/** What is late goes on, and its answer is nobody's. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable('The token did not answer in time; try again.')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whoever was asked is gone, without an answer. */
class LostChild extends Error {
  readonly told: CofferError;
  constructor(message: string) {
    super(message);
    this.told = unavailable(message);
  }
}

function judge(failure: TokenFailure): Error {
  if (failure.kind === 'refused') return new CofferError(failure.code, failure.message);
  if (failure.kind === 'pin-refused') return new PinRefused(failure.message);
  return new LostChild(`The token is not available: ${failure.message}`);
}

function toldBy(error: unknown): CofferError {
  return error instanceof LostChild ? error.told : (error as CofferError);
}

/** Beside the bundle, above its chunks, or built from this tree. */
function findChildFile(): string {
  const paths = ['./pkcs11-token.js', '../pkcs11-token.js', '../../../dist/pkcs11-token.js'];
  const candidates = paths.map((path) => new URL(path, import.meta.url));
  const found = candidates.find((url) => existsSync(url));
  if (found === undefined) throw new Error('pkcs11-token.js is not beside the bundle: run npm run build');
  return fileURLToPath(found);
}

const NOT_THE_VENDORS = /^(COFFER_|OS_|PG|NODE_OPTIONS$|NODE_CHANNEL)/;

function vendorEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !NOT_THE_VENDORS.test(name)));
}

function unavailable(message: string): CofferError {
  return new CofferError('unavailable', message, { retryAfterSeconds: 1 });
}
