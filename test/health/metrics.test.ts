import { expect, it } from 'vitest';
import { LAYOUTS } from '../../src/db/layouts.ts';
import { openDatabase } from '../../src/db/open.ts';
import { createMetrics } from '../../src/health/metrics.ts';

it('counts violations of each sealed table from 0, so that the first one is an increase', async () => {
  const metrics = createMetrics(openDatabase({ connection: {} }));
  const series = async (): Promise<string[]> =>
    (await metrics.registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('coffer_integrity_violations_total{'));
  const begun = Object.keys(LAYOUTS).map((table) => `coffer_integrity_violations_total{where="${table}"} 0`);
  expect(await series()).toEqual(begun);
  metrics.countIntegrityViolation('secrets');
  const one = begun.map((line) => line.replace('"secrets"} 0', '"secrets"} 1'));
  expect(one).not.toEqual(begun);
  expect(await series()).toEqual(one);
});
