import { CofferError } from '../errors.ts';

/** In `name` a `%` or `_` is a wildcard, and a backslash no more than a backslash. */
export interface ContainerFilter {
  name?: string;
  type?: string;
}

const PATTERN_LENGTH_MAX = 1024;

/** An empty parameter is as good as none. */
export function parseContainerFilter(query: Readonly<Record<string, string>>): ContainerFilter {
  const { name, type } = query;
  return {
    ...(name === undefined || name === '' ? {} : { name: storable(name) }),
    ...(type === undefined || type === '' ? {} : { type: storable(type) }),
  };
}

function storable(text: string): string {
  if (text.length > PATTERN_LENGTH_MAX || /\0|\p{Surrogate}/u.test(text)) {
    throw new CofferError('bad_request', 'URI provided invalid query string parameters.');
  }
  return text;
}
