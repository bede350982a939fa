import { type Command, UsageError } from './command.ts';
import { loadSettings, settingFlags } from './setting-flags.ts';
import { askForShares, sharesFlag } from './share-input.ts';

const workerCommand: Command = {
  name: 'worker',
  summary: 'Run the jobs alone: orders, purging. For servers with COFFER_WORKER=off on the same database.',
  usage: '[flags]',
  example: 'coffer worker',
  flags: {
    ...sharesFlag,
    ...settingFlags([
      'configFile',
      'dataDir',
      'keyringFile',
      'logLevel',
      'rules',
      'purgeExpiredSeconds',
      'purgeOrdersSeconds',
    ]),
  },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('worker: takes flags alone');
    const { config } = loadSettings(context);
    const { runWorkerAlone } = await import('../worker/process.ts');
    return await runWorkerAlone(config, {
      say: (line) => void context.stderr.write(`${line}\n`),
      unseal: async (keyrings) => await askForShares(context, keyrings),
    });
  },
};

export const commands: readonly Command[] = [workerCommand];
