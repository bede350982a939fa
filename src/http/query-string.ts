/**
 * Accepts `&name=x`; the last of a repeated name wins; what is not UTF-8 or not an escape stays unmatched
 * text.
 */
export function parseQueryString(text: string): Record<string, string> {
  const query = Object.create(null) as Record<string, string>;
  if (text === '') return query;
  for (const [name, value] of new URLSearchParams(text)) query[name] = value;
  return query;
}
