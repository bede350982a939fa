import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, ask, asJson } from './ask.ts';

/** What the server has acknowledged: it must be there for ever. */
export interface Acknowledged {
  reference: string;
  /** Undefined: stored without a payload, and none was acknowledged since. */
  payload: Buffer | undefined;
}

const PAUSE_MS = 20;

/** Store secrets as fast as they are acknowledged, in one step or two, whatever happens to the server. */
export class Writers {
  readonly acknowledged: Acknowledged[] = [];
  /** Requests without an answer: what became of them is not known. */
  unanswered = 0;
  /** Answers other than a success or a 503. */
  readonly unexpected: string[] = [];
  readonly #url: string;
  readonly #token: string;
  readonly #running: Promise<void[]>;
  #stopped = false;

  constructor(url: string, token: string, count: number) {
    this.#url = url;
    this.#token = token;
    this.#running = Promise.all(Array.from({ length: count }, async () => await this.#write()));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #write(): Promise<void> {
    while (!this.#stopped) {
      const isDone = await (randomInt(4) === 0 ? this.#storeInTwoSteps() : this.#storeAtOnce());
      if (!isDone) await sleep(PAUSE_MS);
    }
  }

  async #storeAtOnce(): Promise<boolean> {
    const payload = randomBytes(randomInt(1, 4_000));
    const body = {
      payload: payload.toString('base64'),
      payload_content_type: 'application/octet-stream',
      payload_content_encoding: 'base64',
    };
    const stored = await this.#ask(201, `${this.#url}/v1/secrets`, asJson(body));
    if (stored !== undefined) this.acknowledged.push({ reference: stored.json.secret_ref, payload });
    return stored !== undefined;
  }

  async #storeInTwoSteps(): Promise<boolean> {
    const stored = await this.#ask(201, `${this.#url}/v1/secrets`, asJson({ name: 'in two steps' }));
    if (stored === undefined) return false;
    const secret: Acknowledged = { reference: stored.json.secret_ref, payload: undefined };
    this.acknowledged.push(secret);
    const payload = randomBytes(randomInt(1, 4_000));
    const headers = { 'content-type': 'application/octet-stream' };
    const put = { method: 'PUT', headers, body: Uint8Array.from(payload) };
    if ((await this.#ask(204, secret.reference, put)) === undefined) return false;
    secret.payload = payload;
    return true;
  }

  async #ask(expected: number, url: string, init: RequestInit): Promise<Answer | undefined> {
    try {
      const answer = await ask(url, { ...init, token: this.#token });
      if (answer.status === expected) return answer;
      if (answer.status !== 503) this.unexpected.push(`${answer.status} ${answer.text}`);
    } catch (error) {
      // Hung is another thing than broken off.
      if (error instanceof Error && error.name === 'TimeoutError') this.unexpected.push('no answer in time');
      // What nobody listened to became of nothing.
      const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
      if (code !== 'ECONNREFUSED') this.unanswered += 1;
    }
    return undefined;
  }
}
