import { decodeFields, encodeFields, list, text } from '../../crypto/encoding.ts';
import { CofferError } from '../../errors.ts';

/**
 * What clients keep with a project or user beside the fields that mean something here: Keystone's tags of a
 * project, and properties of any name.
 */
export type Extra = ReadonlyMap<string, unknown>;

/** Canonical: a list of (key, value in JSON), sorted by key (FORMAT.md §6). Null for none. */
function encodeExtra(extra: Extra): Uint8Array | null {
  if (extra.size === 0) return null;
  const pairs = [...extra].sort(([a], [b]) => (a < b ? -1 : 1));
  return encodeFields(pairs.map(([key, value]) => list([text(key), text(JSON.stringify(value))])));
}

/** @throws CofferError `integrity_violation` for anything that `encodeExtra` cannot have written. */
export function decodeExtra(encoded: Uint8Array | null): Map<string, unknown> {
  const extra = new Map<string, unknown>();
  for (const pair of encoded === null ? [] : decodeFields(encoded)) {
    const [key, value] = pair.kind === 'list' ? pair.value : [];
    if (key?.kind !== 'text' || value?.kind !== 'text') {
      throw new CofferError('integrity_violation', 'Integrity Violation');
    }
    extra.set(key.value, JSON.parse(value.value));
  }
  return extra;
}

/** What was kept, with changes over it: null takes a property away. */
export function mergeExtra(encoded: Uint8Array | null, changes: Extra): Uint8Array | null {
  const merged = decodeExtra(encoded);
  for (const [key, value] of changes) {
    if (value === null || (key === TAGS && Array.isArray(value) && value.length === 0)) merged.delete(key);
    else merged.set(key, value);
  }
  return encodeExtra(merged);
}

const TAGS = 'tags';
const TAGS_MAX = 80;

export function tagsOf(encoded: Uint8Array | null): string[] {
  const tags = decodeExtra(encoded).get(TAGS);
  return Array.isArray(tags) ? tags.map(String) : [];
}

/** @throws CofferError `bad_request` for what are no tags of a project. */
export function parseTags(value: unknown): string[] {
  const tags: unknown[] = Array.isArray(value) ? value : [value];
  const isTag = (tag: unknown): tag is string => typeof tag === 'string' && /^[^,/]{1,255}$/u.test(tag);
  if (!Array.isArray(value) || !tags.every(isTag)) {
    throw new CofferError('bad_request', "Invalid input for field 'tags': a list of texts without , and /");
  }
  if (tags.length > TAGS_MAX) {
    throw new CofferError('bad_request', `Invalid input for field 'tags': ${TAGS_MAX} at most`);
  }
  if (new Set(tags).size !== tags.length) {
    throw new CofferError('bad_request', "Invalid input for field 'tags': each one once");
  }
  return tags;
}

/** Keystone's filters by tags: all of them, any of them, and neither. Undefined where none is asked for. */
export function parseTagFilter(
  query: Readonly<Record<string, string>>,
): ((encoded: Uint8Array | null) => boolean) | undefined {
  const listed = (name: string): string[] | undefined => query[name]?.split(',');
  const [all, any] = [listed('tags'), listed('tags-any')];
  const [notAll, notAny] = [listed('not-tags'), listed('not-tags-any')];
  if ([all, any, notAll, notAny].every((tags) => tags === undefined)) return undefined;
  return (encoded) => {
    const tags = tagsOf(encoded);
    const has = (tag: string): boolean => tags.includes(tag);
    return (
      (all?.every(has) ?? true) &&
      (any?.some(has) ?? true) &&
      !(notAll?.every(has) ?? false) &&
      !(notAny?.some(has) ?? false)
    );
  };
}
