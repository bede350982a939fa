import { expect } from 'vitest';
import type { Client } from './raw-http.ts';

/** How a refusal ends, after the name of the operation. */
export const REFUSED = ' attempt not allowed - please review your user/project privileges';

/** Whose a secret or container is, and its ACL where it has one. */
export interface Case {
  user: string;
  project: string;
  acl?: { projectAccess: boolean; users: string[] };
}
export const CALLER = { user: 'caller', project: 'project-1' };
export const COLLEAGUE = { user: 'colleague', project: 'project-1' };
export const STRANGER = { user: 'stranger', project: 'project-2' };
const PRIVATE = { projectAccess: false, users: [] };
/** By their letters in the contract's tables. */
export const CASES: Readonly<Record<string, Case>> = {
  A: CALLER,
  B: COLLEAGUE,
  C: { ...CALLER, acl: PRIVATE },
  D: { ...COLLEAGUE, acl: { projectAccess: false, users: ['somebody', 'else'] } },
  E: STRANGER,
  F: { ...STRANGER, acl: { projectAccess: true, users: ['somebody', 'caller'] } },
  G: { ...COLLEAGUE, acl: { projectAccess: false, users: ['caller'] } },
};

/** Gives what its owner just made the ACL of the case. */
export async function shareAs(owner: Client, reference: string, acl: Case['acl']): Promise<void> {
  if (acl === undefined) return;
  const read = { 'project-access': acl.projectAccess, users: acl.users };
  expect((await owner.put(`${reference}/acl`, { read })).status).toBe(200);
}
