import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Manifest {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  allowScripts: Record<string, boolean>;
}

interface Lock {
  packages: Record<string, { resolved?: string; integrity?: string; hasInstallScript?: boolean }>;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');

describe('the packages', () => {
  it('are pinned to one version each', () => {
    const versions = {
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.devDependencies,
    };
    const loose = Object.entries(versions).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  it('are locked by their content, without an address to load them from', () => {
    expect(locked.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
    expect(locked.filter(([, { integrity }]) => integrity === undefined)).toEqual([]);
    expect(readFileSync('.npmrc', 'utf8')).not.toMatch(/\/\/|registry\s*=/);
  });

  it('run an install script only where it was approved', () => {
    const withScript = locked
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => path.replace(/^.*node_modules\//, ''))
      .filter((name) => name !== 'fsevents');
    expect(withScript.filter((name) => manifest.allowScripts[name] !== true)).toEqual([]);
  });
});

describe('the client drivers', () => {
  it.each([
    ['barbicanclient_smoke.py', 'eb62e38fbb1d92da9870800cf32a7729d8f4ea115498060afac6ea8b230c7756'],
    ['checks.py', '65b221a0f580948d0ab2e9483baa8382d79fb3fa22bd46496313fc190711990d'],
    ['openstack_cli_smoke.sh', 'ce560b7c329d28ef2dc012368b84c2311cb780918f7d81a5f8d229ac11b3fc0a'],
  ])('drives real clients with %s exactly as it was given', (name, digest) => {
    const bytes = readFileSync(`test/clients/${name}`);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(digest);
  });
});
