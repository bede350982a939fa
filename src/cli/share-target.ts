import type { Coffer, Shared } from '../client/index.ts';
import { type CommandContext, type Flags, UsageError } from './command.ts';
import { findContainer } from './container-lookup.ts';
import { findSecret } from './secret-lookup.ts';

export const containerFlag: Flags = {
  container: { type: 'boolean', description: 'It is a container.' },
};

/** The text of the one secret or container that a command is about. */
export function onlyShared(context: CommandContext, command: string): string {
  const [text, ...more] = context.positionals;
  if (!text || more.length > 0) {
    throw new UsageError(
      `${command} takes one secret, or with --container one container: its id, its reference or its name`,
    );
  }
  return text;
}

export async function findShared(coffer: Coffer, context: CommandContext, text: string): Promise<Shared> {
  if (context.values['container'] === true) return { container: (await findContainer(coffer, text)).id };
  return { secret: (await findSecret(coffer, text)).id };
}
