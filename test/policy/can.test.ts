import { describe, expect, it } from 'vitest';
import type { Action } from '../../src/policy/actions.ts';
import { expandRoles } from '../../src/policy/actor.ts';
import { can, type RuleSetName } from '../../src/policy/can.ts';
import { standingOf } from '../../src/policy/target.ts';
import { actorWith, caller, callersProject, everyCase, targets } from './cases.ts';
import { sheets } from './contract-table.ts';

const everyRole = [...new Set(sheets.flatMap((sheet) => sheet.roles))];
const decidesByTarget = (cells: readonly string[]) => cells.some((cell) => /[A-G]/.test(cell));

describe('can', () => {
  it('refuses an action that no rule names', () => {
    for (const rules of ['stock', 'secure'] as const) {
      for (const action of [
        '',
        'secret',
        'secret:GET',
        'constructor',
        '__proto__',
        'toString',
        'identity:other',
      ]) {
        for (const letter of everyCase) {
          expect(can(rules, action as Action, actorWith(everyRole), targets[letter])).toBe(false);
        }
      }
    }
  });

  it('refuses everything under a rule set that does not exist', () => {
    for (const rules of ['', 'Stock', 'constructor', '__proto__']) {
      expect(can(rules as RuleSetName, 'secrets:post', actorWith(everyRole))).toBe(false);
      expect(can(rules as RuleSetName, 'secret:get', actorWith(everyRole), targets.G)).toBe(false);
    }
  });

  it('refuses what is decided by the thing when the thing is missing', () => {
    for (const { rules, rows } of sheets) {
      for (const [action, ...cells] of rows) {
        if (decidesByTarget(cells)) expect(can(rules, action, actorWith(everyRole)), action).toBe(false);
      }
    }
  });

  it('refuses a token without a project, even with every role and on the ACL', () => {
    for (const projectId of [null, '']) {
      const actor = actorWith(everyRole, { projectId });
      for (const { rules, rows } of sheets) {
        for (const [action] of rows) {
          expect(can(rules, action, actor), action).toBe(false);
          for (const letter of everyCase) {
            const target = targets[letter];
            expect(can(rules, action, actor, target), `${action} ${letter}`).toBe(false);
            expect(can(rules, action, actor, { ...target, projectId: '' }), `${action} ${letter}`).toBe(
              false,
            );
          }
        }
      }
    }
  });

  it('gives nothing through an own or listed id that is empty', () => {
    const nobody = actorWith(['creator', 'member'], { userId: '' });
    const hidden = { projectId: callersProject, creatorId: '', readUsers: ['', ''], projectAccess: false };
    for (const rules of ['stock', 'secure'] as const) {
      expect(can(rules, 'secret:get', nobody, hidden)).toBe(false);
      expect(can(rules, 'secret:get', nobody, { ...hidden, creatorId: null })).toBe(false);
      expect(can(rules, 'container:delete', nobody, { ...hidden, projectAccess: rules === 'stock' })).toBe(
        false,
      );
    }
  });

  it('gives the creator nothing from another project', () => {
    const abroad = { projectId: 'project-2', creatorId: caller, readUsers: [], projectAccess: true };
    for (const rules of ['stock', 'secure'] as const) {
      const roles = everyRole.filter((role) => role !== 'admin');
      for (const action of [
        'secret:get',
        'secret:decrypt',
        'secret:delete',
        'secret:put',
        'container:delete',
      ] as const) {
        expect(can(rules, action, actorWith(roles), abroad), `${rules} ${action}`).toBe(false);
      }
    }
  });
});

describe('standingOf', () => {
  it('counts two missing projects as different, and two missing users as nobody', () => {
    const nobody = actorWith([], { userId: '', projectId: '' });
    const target = { projectId: '', creatorId: '', readUsers: [''], projectAccess: true };
    expect(standingOf(nobody, target)).toEqual({
      sameProject: false,
      isCreator: false,
      isPrivate: false,
      onAcl: false,
    });
  });

  it('counts a thing as private when nothing says otherwise', () => {
    for (const odd of [false, undefined, null]) {
      const target = { ...targets.B, projectAccess: odd as boolean };
      expect(standingOf(actorWith([]), target).isPrivate).toBe(true);
    }
  });
});

describe('expandRoles', () => {
  it('adds what admin, manager and member imply', () => {
    expect(expandRoles(['admin'])).toEqual(['admin', 'manager', 'member', 'reader']);
    expect(expandRoles(['manager'])).toEqual(['manager', 'member', 'reader']);
    expect(expandRoles(['member'])).toEqual(['member', 'reader']);
    expect(expandRoles(['reader'])).toEqual(['reader']);
  });

  it('leaves other roles alone, each once, and makes nothing of nothing', () => {
    expect(expandRoles(['creator', 'reader', 'creator', 'member'])).toEqual(['creator', 'reader', 'member']);
    expect(expandRoles(['constructor', '__proto__', 'Admin'])).toEqual(['constructor', '__proto__', 'Admin']);
    expect(expandRoles([])).toEqual([]);
    expect(expandRoles([''])).toEqual([]);
  });
});
