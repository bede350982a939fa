import type { Action } from './actions.ts';
import type { Actor } from './actor.ts';
import type { Rule } from './rule.ts';
import { secureRules } from './rules-secure.ts';
import { stockRules } from './rules-stock.ts';
import { standingOf, type Target } from './target.ts';

export type RuleSetName = 'stock' | 'secure';

// Maps, because names come from tokens and settings: a role called 'constructor' must find nothing.
const ruleSets: ReadonlyMap<string, ReadonlyMap<string, Rule>> = new Map([
  ['stock', new Map(Object.entries(stockRules))],
  ['secure', new Map(Object.entries(secureRules))],
]);

/**
 * Whether the actor may do the action to the target, by the rule set named. Pure; what is unknown or missing
 * (rule set, action, target where the rule looks at one, the token's project, roles) gives false. Only a read
 * ACL gives a right to a user without a role. Every action on the key manager needs a token that is scoped to
 * a project.
 */
export function can(rules: RuleSetName, action: Action, actor: Actor, target?: Target): boolean {
  const rule = ruleSets.get(rules)?.get(action);
  if (rule === undefined || actor.projectId === null || actor.projectId === '') return false;
  if ('roles' in rule) return actor.roles.some((role) => rule.roles.includes(role));
  if (target === undefined) return false;

  const standing = standingOf(actor, target);
  if (rule.aclGrants && standing.onAcl) return true;
  return actor.roles.some(
    (role) => Object.hasOwn(rule.reaches, role) && rule.reaches[role]?.(standing) === true,
  );
}
