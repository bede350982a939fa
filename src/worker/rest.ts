/** A job between two runs. */
export class Rest {
  #wanted = false;
  #end: (() => void) | undefined;

  wake(): void {
    this.#wanted = true;
    this.#end?.();
  }

  /** Nothing but the signal shortens this one. */
  async backOff(ms: number, signal: AbortSignal): Promise<void> {
    await this.#wait(ms, signal, false);
  }

  /** Ends at a wake, also at one that came since the last rest. */
  async rest(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#wanted) await this.#wait(ms, signal, true);
    this.#wanted = false;
  }

  async #wait(ms: number, signal: AbortSignal, wakeable: boolean): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        this.#end = undefined;
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
      if (wakeable) this.#end = end;
    });
  }
}
