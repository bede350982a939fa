import { defineConfig } from 'vitest/config';

// What needs SoftHSM: Debian's package softhsm2.
export default defineConfig({
  test: {
    include: ['test/hsm/**/*.test.ts'],
    globalSetup: ['test/harness/postgres-setup.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 15_000 } },
  },
});
