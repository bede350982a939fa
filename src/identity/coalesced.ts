/**
 * One run of `work` at a time: all who ask during one share one more, which sees what they were told of.
 */
export function coalesced(work: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const ask = async (): Promise<void> => {
    if (current !== undefined) {
      next ??= current
        .catch(() => {})
        .then(async () => {
          next = undefined;
          await ask();
        });
      await next;
      return;
    }
    current = work().finally(() => {
      current = undefined;
    });
    await current;
  };
  return ask;
}
