import type { Coffer, Shared } from '../client/index.ts';
import { type CommandContext, type Flags, UsageError } from './command.ts';
import { findSecret } from './secret-lookup.ts';

export const containerFlag: Flags = {
  container: { type: 'boolean', description: 'It is a container, by its id or its reference.' },
};

/** The text of the one secret or container that a command is about. */
export function onlyShared(context: CommandContext, command: string): string {
  const [text, ...more] = context.positionals;
  if (!text || more.length > 0) {
    throw new UsageError(
      `${command} takes one secret (its id, its reference or its name), or --container and an id`,
    );
  }
  return text;
}

/** Secrets are found by name too; containers are not. */
export async function findShared(coffer: Coffer, context: CommandContext, text: string): Promise<Shared> {
  if (context.values['container'] === true) return { container: text };
  return { secret: (await findSecret(coffer, text)).id };
}
