import type { Config } from '../config.ts';
import type { SchemaState } from '../db/migrate.ts';
import type { Db } from '../db/open.ts';
import { type Command, type CommandContext, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { chooseFormat, type Format, formatOne, outputFlag } from './output.ts';
import { loadSettings, settingFlags } from './setting-flags.ts';
import { requireData } from './with-installation.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env'];

const databaseFlags = settingFlags(['configFile', 'dataDir']);

const migrateCommand: Command = {
  name: 'migrate',
  summary: 'Bring the schema of the database up to this version. Servers of the version before go on.',
  usage: '[--finish] [flags]',
  example: 'COFFER_DATABASE_URL=postgresql://coffer@db/coffer coffer migrate',
  flags: {
    finish: {
      type: 'boolean',
      description: 'Write new layouts from now on: when no server of the version before is left.',
    },
    ...databaseFlags,
  },
  run: async (context) => {
    if (context.positionals.length > 0)
      throw new UsageError('migrate: takes flags alone, or the verb status');
    const { finishMigrations, migrate, requireSchema } = await import('../db/migrate.ts');
    return await withDatabase(context, async (db) => {
      const state = await migrate(db);
      requireSchema(state);
      const after = context.values['finish'] === true ? { ...state, ...(await finishMigrations(db)) } : state;
      context.stdout.write(describe(after));
      return exitCodes.done;
    });
  },
};

const status: Command = {
  name: 'migrate status',
  summary: 'Show which migrations the database has. Ends with 78 when a server would not start on it.',
  usage: '[flags]',
  example: 'coffer migrate status -o json',
  flags: { ...outputFlag(formats), ...databaseFlags },
  run: async (context) => {
    const format = chooseFormat(context, formats);
    const { readSchemaState, startsOn } = await import('../db/migrate.ts');
    const state = await withDatabase(context, readSchemaState);
    context.stdout.write(formatOne({ ...state }, format));
    return startsOn(state) ? exitCodes.done : exitCodes.configuration;
  },
};

function describe({ before, applied, finished, latest }: SchemaState & { before: number }): string {
  const done =
    before === applied ? `The database is at migration ${applied}` : `Applied migration ${before + 1}`;
  const last = applied > before + 1 ? ` to ${applied}` : '';
  const left =
    finished < Math.min(applied, latest)
      ? 'When no older server is left, run: coffer migrate --finish\n'
      : '';
  return `${done}${last}.\n${left}`;
}

async function withDatabase<T>(context: CommandContext, use: (db: Db) => Promise<T>): Promise<T> {
  const { config } = loadSettings(context);
  const postgres = await joinPostgres(config, (line) => context.stderr.write(`${line}\n`));
  try {
    const { openDatabase } = await import('../db/open.ts');
    const db = openDatabase({
      connection: config.databaseUrl ?? { ...postgres?.connection },
      connectionsMax: 1,
    });
    try {
      return await use(db);
    } finally {
      await db.close();
    }
  } finally {
    await postgres?.stop();
  }
}

async function joinPostgres(config: Config, log: (line: string) => void) {
  if (config.databaseUrl !== undefined) return undefined;
  requireData(config);
  const { joinOrStart } = await import('../db/embedded.ts');
  return await joinOrStart({ dataDirectory: config.dataDir, log });
}

export const commands: readonly Command[] = [migrateCommand, status];
