import { defineConfig } from 'vitest/config';

/** Only the tests of what is mutated: they need no database, and each mutant runs those that reach it. */
export default defineConfig({
  test: {
    include: ['test/crypto/**/*.test.ts', 'test/policy/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    env: { COFFER_TEST_ROUNDS: '0.02' },
  },
});
