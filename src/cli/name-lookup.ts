import { CofferError } from '../client/index.ts';
import { printable } from './output.ts';

/** What a person calls a secret or container: its id, and its name when that is known. */
export interface Found {
  id: string;
  name: string | null;
}

/** Characters that a name filter may read otherwise than as themselves; any one character stands for them. */
const ambiguous = /[%_+\\]/g;

/** The only one of exactly this name, of those that `list` gives for a pattern; names are not unique. */
export async function findByName(
  noun: 'secret' | 'container',
  text: string,
  list: (pattern: string) => AsyncIterable<Found>,
): Promise<Found> {
  // the server strips names when it stores them
  const name = text.trim();
  const named: Found[] = [];
  for await (const one of list(name.replace(ambiguous, '_'))) {
    if (one.name === name) named.push(one);
  }
  const [only, another] = named;
  if (only === undefined) {
    throw new CofferError('not_found', `no ${noun} is named ${printable(text)}; see coffer ${noun} list`);
  }
  if (another !== undefined) {
    const ids = named.slice(0, 5).map(({ id }) => id);
    const more = named.length > ids.length ? ', …' : '';
    throw new CofferError(
      'conflict',
      `${named.length} ${noun}s are named ${printable(text)}; use an id: ${ids.join(', ')}${more}`,
    );
  }
  return only;
}
