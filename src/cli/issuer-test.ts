import type { Command, CommandContext } from './command.ts';
import { UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { readAll } from './prompt.ts';
import { installationFlags } from './setting-flags.ts';
import { withInstallation } from './with-installation.ts';

/** Reads an issuer's keys from here, and says what is wrong with a JWT, which the server tells nobody. */
export const issuerTest: Command = {
  name: 'issuer test',
  summary: 'Read the key set of an issuer from this machine, and judge a JWT that is piped in.',
  usage: 'NAME [flags] < JWT',
  example: 'kubectl create token web -n shop --audience coffer | coffer issuer test shop-k8s',
  flags: installationFlags,
  run: async (context) => {
    const [name, ...more] = context.positionals;
    if (name === undefined || more.length > 0) {
      throw new UsageError('issuer test: one NAME; a JWT is piped in, never an argument');
    }
    const jwt = await readPiped(context);
    return await withInstallation(context, { allowEmpty: false }, async (parts, config) => {
      const { getIssuer } = await import('../identity/federation/issuers.ts');
      const { tryIssuer } = await import('../identity/federation/issuer-trial.ts');
      const issuer = await getIssuer(parts, name);
      const trial = await tryIssuer(issuer, jwt, {
        now: parts.clock.now(),
        privateAddresses: config.issuerPrivateAddresses,
      });
      for (const line of trial.lines) context.stdout.write(`${line}\n`);
      return trial.isGood ? exitCodes.done : exitCodes.invalid;
    });
  },
};

async function readPiped({ stdin }: CommandContext): Promise<string | undefined> {
  if (stdin.isTTY === true) return undefined;
  const text = (await readAll(stdin)).toString('utf8').trim();
  return text === '' ? undefined : text;
}
