import { type CommandContext, stringFlag, UsageError } from './command.ts';

/** Seconds of a flag like `90d` or `15s`; null without it. @throws UsageError. */
export async function parseTime(context: CommandContext, flag: string): Promise<number | null> {
  const text = stringFlag(context, flag);
  if (text === undefined) return null;
  const { duration, SettingProblem } = await import('../config/parsers.ts');
  try {
    return duration(text, context.cwd);
  } catch (error) {
    throw error instanceof SettingProblem ? new UsageError(`--${flag} ${error.message}`) : error;
  }
}
