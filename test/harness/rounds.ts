/**
 * The rounds to run out of `full`: `COFFER_TEST_ROUNDS` is the share, 0.1 in `npm test` and 1 in `npm run
 * test:long`.
 */
export function rounds(full: number): number {
  const share = Number(process.env.COFFER_TEST_ROUNDS ?? '0.1');
  if (!Number.isFinite(share) || share <= 0) {
    throw new Error('COFFER_TEST_ROUNDS must be a number above 0');
  }
  return Math.max(1, Math.ceil(full * share));
}
