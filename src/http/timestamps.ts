/** Six digits and no zone: gophercloud's layout has none, and our instants are cut to milliseconds. */
export function formatTimestamp(date: Date): string {
  return `${date.toISOString().slice(0, -1)}000`;
}

/** The form of Keystone, which does have its Z. */
export function formatKeystoneTime(date: Date): string {
  return `${formatTimestamp(date)}Z`;
}
