import type { CommandContext } from './command.ts';

/**
 * What an operator did, as the line that a server's log has for a request's: on standard error, where that
 * goes to somebody who keeps it, and not to a terminal.
 */
export async function putOnRecord(
  { stderr }: CommandContext,
  action: string,
  subject: string,
): Promise<void> {
  if (stderr.isTTY === true) return;
  const { createRecordLog } = await import('./command-log.ts');
  const { recordOperator } = await import('../audit/record.ts');
  recordOperator(createRecordLog(stderr), { action, subject, account: process.getuid?.() ?? null });
}
