import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/clients/**', 'test/bench/**', 'test/hsm/**'],
    globalSetup: ['test/harness/postgres-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What must come, and says itself how soon where that is a promise: a busy machine takes more than a second.
    expect: { poll: { timeout: 15_000 } },
    allowOnly: false,
    // The share of the full rounds that property, fault and kill tests run; `npm run test:long` sets 1.
    env: { COFFER_TEST_ROUNDS: process.env.COFFER_TEST_ROUNDS ?? '0.1' },
  },
});
