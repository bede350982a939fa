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
      'metrics',
      'workerListen',
      'purgeExpiredSeconds',
      'purgeOrdersSeconds',
    ]),
  },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('worker: takes flags alone');
    const { config } = loadSettings(context);
    const { describeListenFailure } = await import('../serve.ts');
    const { runWorkerAlone } = await import('../worker/process.ts');
    const { workerListen } = config;
    try {
      return await runWorkerAlone(config, {
        say: (line) => void context.stderr.write(`${line}\n`),
        unseal: async (keyrings) => await askForShares(context, keyrings),
      });
    } catch (error) {
      const refused = workerListen && describeListenFailure(error, workerListen, 'COFFER_WORKER_LISTEN');
      throw refused ?? error;
    }
  },
};

export const commands: readonly Command[] = [workerCommand];
