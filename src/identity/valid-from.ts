/**
 * From when on tokens count, so that none issued before `now` does: `iat` has whole seconds, and a token of a
 * second in which others were revoked belongs to the next one. `previous` is what stood there until now.
 */
export function nextValidFrom(now: Date, previous: Date | null): Date {
  const latestIssue = Math.max(
    Math.floor(now.getTime() / 1000),
    Math.ceil((previous?.getTime() ?? 0) / 1000),
  );
  return new Date(Math.max(now.getTime(), latestIssue * 1000 + 1));
}
