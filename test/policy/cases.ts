import type { Actor } from '../../src/policy/actor.ts';
import type { Target } from '../../src/policy/target.ts';

/**
 * How a caller may stand to a thing: A same project, caller created it, not private · B same project, other
 * creator, not private · C own, private · D other creator, private · E other project, no ACL · F other
 * project, caller on ACL · G same project, other creator, private, caller on ACL.
 */
export type Case = 'A' | 'B' | 'C' | 'D' | 'E' | 'F' | 'G';
export const everyCase: readonly Case[] = ['A', 'B', 'C', 'D', 'E', 'F', 'G'];

export const caller = 'user-1';
export const callersProject = 'project-1';

export const targets: Readonly<Record<Case, Target>> = {
  A: { projectId: callersProject, creatorId: caller, readUsers: [], projectAccess: true },
  B: { projectId: callersProject, creatorId: 'user-2', readUsers: [], projectAccess: true },
  C: { projectId: callersProject, creatorId: caller, readUsers: [], projectAccess: false },
  D: { projectId: callersProject, creatorId: 'user-2', readUsers: ['user-3'], projectAccess: false },
  E: { projectId: 'project-2', creatorId: 'user-2', readUsers: ['user-3'], projectAccess: true },
  F: { projectId: 'project-2', creatorId: 'user-2', readUsers: ['user-3', caller], projectAccess: true },
  G: { projectId: callersProject, creatorId: 'user-2', readUsers: [caller], projectAccess: false },
};

export function actorWith(roles: readonly string[], changes: Partial<Actor> = {}): Actor {
  return {
    userId: caller,
    scope: 'project',
    projectId: callersProject,
    scopeDomainId: null,
    roles,
    domainId: 'default',
    auditId: 'jti',
    applicationCredentialId: null,
    accessRules: null,
    ...changes,
  };
}
