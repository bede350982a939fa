import type { Action } from './actions.ts';
import type { Standing } from './target.ts';

/** When a role's right reaches a target. */
export type Reach = (standing: Standing) => boolean;

export const anywhere: Reach = () => true;
export const inProject: Reach = ({ sameProject }) => sameProject;
export const unlessPrivate: Reach = ({ sameProject, isPrivate }) => sameProject && !isPrivate;
export const ownOnly: Reach = ({ sameProject, isCreator }) => sameProject && isCreator;
export const ownOrNotPrivate: Reach = (standing) => unlessPrivate(standing) || ownOnly(standing);

/**
 * A right on one thing: each role's reach, and whether the thing's read ACL gives it to users without a role.
 */
interface TargetRule {
  reaches: Readonly<Record<string, Reach>>;
  aclGrants: boolean;
}

/** A right on a project's collection or on the service: having the role in the token's project is all. */
interface RoleRule {
  roles: readonly string[];
}

export type Rule = TargetRule | RoleRule;
export type RuleTable = Readonly<Record<Action, Rule>>;

export function readable(reaches: TargetRule['reaches']): Rule {
  return { reaches, aclGrants: true };
}

export function guarded(reaches: TargetRule['reaches']): Rule {
  return { reaches, aclGrants: false };
}

export function anyOf(...roles: string[]): Rule {
  return { roles };
}
