import { describe, expect, it } from 'vitest';
import type { Acl } from '../../src/acl/record.ts';
import { type AclChange, parseAclChange } from '../../src/acl/schema.ts';
import { mergeAcl, replaceAcl } from '../../src/acl/service.ts';

const THEN = new Date('2026-01-01T00:00:00Z');
const NOW = new Date('2026-02-01T00:00:00Z');
const acl = (projectAccess: boolean, ...users: string[]): Acl => ({
  projectAccess,
  users,
  created: THEN,
  updated: THEN,
});
const changed = (projectAccess: boolean, ...users: string[]): Acl => ({
  ...acl(projectAccess, ...users),
  updated: NOW,
});
const first = (projectAccess: boolean, ...users: string[]): Acl => ({
  ...changed(projectAccess, ...users),
  created: NOW,
});

describe('the body of an ACL', () => {
  it.each<[unknown, AclChange]>([
    [{}, {}],
    [{ read: {} }, {}],
    [{ read: { users: [] } }, { users: [] }],
    [{ read: { 'project-access': false } }, { projectAccess: false }],
    [{ read: { users: ['b', ' a ', 'b', ''] } }, { users: ['b', 'a', ''] }],
    [
      { read: { users: ['é'.repeat(255)], 'project-access': true } },
      { users: ['é'.repeat(255)], projectAccess: true },
    ],
  ])('%j is understood', (body, change) => {
    expect(parseAclChange(body)).toEqual(change);
  });

  it.each<[unknown, string, string]>([
    [null, "None is not of type 'object'", 'None'],
    [[], "the value is not of type 'object'", 'None'],
    [{ read: null }, "None is not of type 'object'", 'read'],
    [{ read: ['a'] }, "['a'] is not of type 'object'", 'read'],
    [{ write: {} }, "Additional properties are not allowed ('write' was unexpected)", 'None'],
    [{ read: {}, list: {} }, "Additional properties are not allowed ('list' was unexpected)", 'None'],
    [
      { read: { creator_only: true } },
      "Additional properties are not allowed ('creator_only' was unexpected)",
      'read',
    ],
    [{ read: { users: null } }, "None is not of type 'array'", 'read'],
    [{ read: { users: 'all' } }, "'all' is not of type 'array'", 'read'],
    [{ read: { users: { 0: 'a' } } }, "{'0': 'a'} is not of type 'array'", 'read'],
    [{ read: { users: ['a', 5] } }, "5 is not of type 'string'", 'read'],
    [{ read: { users: ['a', null] } }, "None is not of type 'string'", 'read'],
    [{ read: { users: ['a', ['b']] } }, "['b'] is not of type 'string'", 'read'],
    [{ read: { users: ['a', 'x'.repeat(256)] } }, `'${'x'.repeat(256)}' is too long`, 'read'],
    [{ read: { 'project-access': 'false' } }, "'false' is not of type 'boolean'", 'read'],
    [{ read: { 'project-access': 0 } }, "0 is not of type 'boolean'", 'read'],
    [{ read: { 'project-access': null } }, "None is not of type 'boolean'", 'read'],
  ])('%j is refused', (body, reason, property) => {
    const text = `Provided object does not match schema 'ACL': ${reason}. Invalid property: '${property}'`;
    expect(() => parseAclChange(body)).toThrow(text);
  });
});

describe('a replacement', () => {
  it.each<[string, Acl | null, AclChange, Acl | null]>([
    ['makes one', null, { users: ['a'] }, first(true, 'a')],
    ['says all anew and keeps when it was made', acl(false, 'a'), { users: ['b'] }, changed(true, 'b')],
    ['without users takes them away', acl(true, 'a'), { projectAccess: false }, changed(false)],
    ['that says nothing makes none', null, {}, null],
    ['that says nothing removes one that only grants', acl(true, 'a'), {}, null],
    ['that says nothing leaves private what is private', acl(false, 'a'), {}, changed(false)],
  ])('%s', (_, old, change, expected) => {
    expect(replaceAcl(old, change, NOW)).toEqual(expected);
  });
});

describe('a merge', () => {
  it.each<[string, Acl | null, AclChange, Acl | null]>([
    ['makes one', null, { projectAccess: false }, first(false)],
    ['keeps the access that it does not name', acl(false, 'a'), { users: ['b'] }, changed(false, 'b')],
    ['keeps the users that it does not name', acl(false, 'a'), { projectAccess: true }, changed(true, 'a')],
    ['clears the users', acl(false, 'a'), { users: [] }, changed(false)],
    ['that says nothing makes none', null, {}, null],
    ['that says nothing changes nothing', acl(false, 'a'), {}, acl(false, 'a')],
  ])('%s', (_, old, change, expected) => {
    expect(mergeAcl(old, change, NOW)).toEqual(expected);
  });
});
