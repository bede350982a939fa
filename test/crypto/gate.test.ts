import { describe, expect, it } from 'vitest';
import { createGate, GateFull } from '../../src/crypto/gate.ts';

/** Work that ends when it is told to. */
function held(gate: ReturnType<typeof createGate>, name: string, queue: string, begun: string[]) {
  let release = (): void => {};
  const ended = new Promise<void>((resolve) => (release = resolve));
  const done = gate(async () => {
    begun.push(name);
    await ended;
    return name;
  }, queue);
  return { done, release };
}

const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

describe('a gate', () => {
  it('lets so many run at once, whichever queue they are of, and the others in as places are free', async () => {
    const gate = createGate({ atOnceMax: 2, waitingMax: 5, busy: 'busy' });
    const begun: string[] = [];
    const works = ['a1', 'a2', 'b1', 'c1'].map((name) => held(gate, name, name.slice(0, 1), begun));
    await settled();
    expect(begun).toEqual(['a1', 'a2']);
    works[1]?.release();
    await settled();
    expect(begun).toEqual(['a1', 'a2', 'b1']);
    for (const { release } of works) release();
    expect(await Promise.all(works.map(async ({ done }) => await done))).toEqual(['a1', 'a2', 'b1', 'c1']);
  });

  it('lets queues take turns, and each in its order', async () => {
    const gate = createGate({ atOnceMax: 1, waitingMax: 5, busy: 'busy' });
    const begun: string[] = [];
    const names = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1'];
    const works = names.map((name) => held(gate, name, name.slice(0, 1), begun));
    for (const { release } of works) release();
    await Promise.all(works.map(async ({ done }) => await done));
    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
  });

  it('refuses who finds the queue full, and nobody of another queue', async () => {
    const gate = createGate({ atOnceMax: 1, waitingMax: 2, busy: 'too many' });
    const begun: string[] = [];
    const works = ['a1', 'a2', 'a3', 'b1', 'b2'].map((name) => held(gate, name, name.slice(0, 1), begun));
    for (const queue of ['a', 'b']) {
      const refusal = gate(async () => {}, queue);
      await expect(refusal).rejects.toBeInstanceOf(GateFull);
      await expect(refusal).rejects.toMatchObject({ code: 'unavailable', message: 'too many' });
    }
    for (const { release } of works) release();
    await Promise.all(works.map(async ({ done }) => await done));
    expect(await gate(async () => 'in', 'a')).toBe('in');
  });

  it('refuses everybody when as many wait in all queues as may, and lets in when one less does', async () => {
    const gate = createGate({ atOnceMax: 1, waitingMax: 2, waitingInAllMax: 3, busy: 'too many' });
    const begun: string[] = [];
    const works = ['a1', 'a2', 'b1', 'c1'].map((name) => held(gate, name, name.slice(0, 1), begun));
    for (const queue of ['a', 'd'])
      await expect(gate(async () => {}, queue)).rejects.toBeInstanceOf(GateFull);
    works[0]?.release();
    await settled();
    works.push(held(gate, 'd1', 'd', begun));
    for (const { release } of works) release();
    await Promise.all(works.map(async ({ done }) => await done));
    expect(begun).toEqual(['a1', 'a2', 'b1', 'c1', 'd1']);
  });

  it('gives the place of work that failed to the next, and its error to who asked', async () => {
    const gate = createGate({ atOnceMax: 1, waitingMax: 2, busy: 'busy' });
    const failing = gate(async () => {
      await settled();
      throw new Error('of the work');
    });
    const next = gate(async () => 'next');
    await expect(failing).rejects.toThrow('of the work');
    expect(await next).toBe('next');
    expect(await gate(async () => 'last')).toBe('last');
  });
});
