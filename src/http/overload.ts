import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { CofferError } from '../errors.ts';
import type { FailureLog } from './failure-log.ts';
import type { HttpLimits } from './limits.ts';

/** Not logged one by one: that would be more of the same load. */
export class TurnedAway extends CofferError {
  constructor(message: string, retryAfterSeconds = 1) {
    super('unavailable', message, { retryAfterSeconds });
  }
}

export interface InFlight {
  count: number;
}

const watchMilliseconds = 500;

/** Turns requests away at a bound, where each would otherwise wait for all before it. */
export class Overload implements InFlight {
  count = 0;
  draining = false;
  readonly #limits: HttpLimits;
  readonly #log: FailureLog;
  readonly #delay: IntervalHistogram | undefined;
  readonly #watch: NodeJS.Timeout;
  #lagging = false;
  #refused = 0;

  constructor(limits: HttpLimits, log: FailureLog) {
    this.#limits = limits;
    this.#log = log;
    if (limits.loopDelayMaxMilliseconds > 0) {
      this.#delay = monitorEventLoopDelay({ resolution: 20 });
      this.#delay.enable();
    }
    this.#watch = setInterval(() => this.#look(), watchMilliseconds);
    this.#watch.unref();
  }

  /** For a request that is counted already. */
  check(): void {
    if (this.draining) throw this.#refusal('The server is shutting down; try again.');
    if (this.#lagging || this.count > this.#limits.inFlightMax) {
      throw this.#refusal('The server is overloaded; try again.');
    }
  }

  drain(): void {
    this.draining = true;
  }

  close(): void {
    clearInterval(this.#watch);
    this.#delay?.disable();
  }

  #refusal(message: string): TurnedAway {
    this.#refused += 1;
    return new TurnedAway(message);
  }

  #look(): void {
    if (this.#delay !== undefined) {
      this.#lagging = this.#delay.mean / 1e6 > this.#limits.loopDelayMaxMilliseconds;
      this.#delay.reset();
    }
    if (this.#refused > 0)
      this.#log.warn({ refused: this.#refused, inFlight: this.count }, 'requests refused: overloaded');
    this.#refused = 0;
  }
}
