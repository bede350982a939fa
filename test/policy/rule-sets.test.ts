import { describe, expect, it } from 'vitest';
import { can } from '../../src/policy/can.ts';
import { stockRules } from '../../src/policy/rules-stock.ts';
import { actorWith, everyCase, targets } from './cases.ts';
import { type Row, sheets } from './contract-table.ts';

function cellsOf(rows: readonly Row[]) {
  return rows.map(([action, ...cells]) => ({ action, cells }));
}

describe.each(sheets)('the $rules rules', ({ rules, roles, rows }) => {
  it.each(cellsOf(rows))(
    '$action gives each role exactly the cases that the contract lists',
    ({ action, cells }) => {
      expect(cells).toHaveLength(roles.length);
      for (const [index, role] of roles.entries()) {
        const cell = cells[index];
        if (cell === 'y') {
          expect(can(rules, action, actorWith([role])), `${role} without a target`).toBe(true);
        }
        const allowed = everyCase
          .filter((letter) => can(rules, action, actorWith([role]), targets[letter]))
          .join('');
        const expected = cell === 'y' ? 'ABCDEFG' : cell === '-' ? '' : cell;
        expect(allowed, role).toBe(expected);
      }
    },
  );

  it.each(cellsOf(rows))(
    '$action gives no role, and a role from outside the rules, the cases of a read ACL at most',
    ({ action, cells }) => {
      const expected = cells.every((cell) => cell.includes('FG')) ? 'FG' : '';
      for (const none of [
        [],
        [''],
        ['swift-operator'],
        ['constructor'],
        ['__proto__'],
        ['ADMIN'],
        ['admin '],
      ]) {
        const allowed = everyCase
          .filter((letter) => can(rules, action, actorWith(none), targets[letter]))
          .join('');
        expect(allowed, JSON.stringify(none)).toBe(expected);
        expect(can(rules, action, actorWith(none))).toBe(false);
      }
    },
  );

  it('have no row that the contract lacks', () => {
    expect(rows.map(([action]) => action).toSorted()).toEqual(Object.keys(stockRules).toSorted());
  });

  it('know only their own roles', () => {
    const foreign = sheets.filter((sheet) => sheet.rules !== rules).flatMap((sheet) => sheet.roles);
    const strangers = foreign.filter((role) => !roles.includes(role));
    expect(strangers.length).toBeGreaterThan(0);
    for (const [action, ...cells] of rows) {
      const expected = cells.every((cell) => cell.includes('FG')) ? 'FG' : '';
      const allowed = everyCase
        .filter((letter) => can(rules, action, actorWith(strangers), targets[letter]))
        .join('');
      expect(allowed, action).toBe(expected);
    }
  });
});
