import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 100;

/**
 * Checks until it holds, and begins the last check when the time is over: what is promised by then must hold
 * for whoever asks then, however slow the machine is that asks.
 */
export async function within(ms: number, check: () => Promise<unknown>): Promise<void> {
  const end = performance.now() + ms;
  for (;;) {
    const isLast = performance.now() >= end;
    try {
      await check();
      return;
    } catch (error) {
      if (isLast) throw error;
    }
    await sleep(LOOK_EVERY_MS);
  }
}
