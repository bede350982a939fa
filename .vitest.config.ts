import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/clients/**', 'test/bench/**', 'test/hsm/**'],
    globalSetup: ['test/harness/postgres-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // A start of a server, which some tests make ten times, is seconds on a busy machine.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // What must come, and says itself how soon where that is a promise: a busy machine takes more than a second.
    expect: { poll: { timeout: 15_000 } },
    allowOnly: false,
    // The share of the full rounds that property, fault and kill tests run; `npm run test:long` sets 1.
    env: { COFFER_TEST_ROUNDS: process.env.COFFER_TEST_ROUNDS ?? '0.1' },
  },
});
