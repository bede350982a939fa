import { build } from 'esbuild';

/** Builds the token's process with ways to harm it by signals. */
export async function buildSabotagedToken(outfile: string): Promise<void> {
  await build({
    entryPoints: ['test/hsm/sabotaged-token.ts'],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['pkcs11js'],
    logLevel: 'error',
  });
}
