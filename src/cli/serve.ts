import { type Command, UsageError } from './command.ts';
import { loadSettings, settingFlags } from './setting-flags.ts';

const serveCommand: Command = {
  name: 'serve',
  summary: 'Run the server. Without a database it starts a private PostgreSQL in the data directory.',
  usage: '[flags]',
  example: 'coffer serve --listen 127.0.0.1:9311 --data-dir ./data',
  flags: settingFlags(),
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('serve: takes flags alone');
    const { config } = loadSettings(context);
    const { describeListenFailure, serve } = await import('../serve.ts');
    const say = (line: string): unknown => context.stderr.write(`${line}\n`);
    try {
      return await serve(config, { createMissing: true, say });
    } catch (error) {
      throw describeListenFailure(error, config.listen) ?? error;
    }
  },
};

export const commands: readonly Command[] = [serveCommand];
