import { expect } from 'vitest';
import { ROLE_NAMES } from '../../src/identity/names.ts';
import type { RuleSetName } from '../../src/policy/can.ts';
import type { Person, StartedCoffer } from '../harness/start-coffer.ts';
import type { Case } from '../policy/cases.ts';
import { sheets } from '../policy/contract-table.ts';
import { logInWith, type MadeCredential, makeCredential } from './applications.ts';
import { LINES, type Line } from './authorization-matrix-lines.ts';
import { rawClient } from './raw-http.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** One column of the matrix. */
export interface Caller {
  title: string;
  /** No token, or one that ended, is none of these. */
  roles: readonly string[] | null;
  /** To the things asked for, by the letters of the contract's cases. */
  standing: Extract<Case, 'A' | 'B' | 'E'>;
  application?: 'no rules' | 'a rule for it' | 'rules for all else';
}

const MAKER_ROLES = ['creator', 'member'];
const applications = ['no rules', 'a rule for it', 'rules for all else'] as const;

function withApplications(owner: string, rest: Pick<Caller, 'roles' | 'standing'>): Caller[] {
  const ofOwner = applications.map((application) => {
    return { title: `the application of ${owner} with ${application}`, application, ...rest };
  });
  return [{ title: owner, ...rest }, ...ofOwner];
}

export const CALLERS: readonly Caller[] = [
  { title: 'anonymous', roles: null, standing: 'E' },
  { title: 'a disabled user', roles: null, standing: 'E' },
  { title: 'a revoked token', roles: null, standing: 'A' },
  ...ROLE_NAMES.map((role): Caller => ({ title: role, roles: [role], standing: 'B' })),
  ...ROLE_NAMES.map((role): Caller => ({ title: `${role} elsewhere`, roles: [role], standing: 'E' })),
  ...withApplications('the maker', { roles: MAKER_ROLES, standing: 'A' }),
  // What stops the applications of one who may do all is their rules alone.
  ...withApplications('one of all roles', { roles: ROLE_NAMES, standing: 'B' }),
];

interface Exception {
  routes: RegExp;
  callers: (caller: Caller) => boolean;
  status: number;
  reason: string;
}

/** What the rules below do not tell. */
export const EXCEPTIONS: readonly Exception[] = [
  {
    routes: /^(GET|DELETE) \/v1\/orders\/\{/,
    callers: ({ roles, standing }) => roles !== null && standing === 'E',
    status: 404,
    reason: 'orders are looked for in the project of the token alone',
  },
  {
    routes: /^(POST|DELETE) .*\/application_credentials/,
    callers: ({ application }) => application !== undefined,
    status: 403,
    reason: 'a credential that is not unrestricted makes and deletes none',
  },
];

/** Each role brings those that Keystone's defaults have it imply. */
const IMPLIED: Readonly<Record<string, readonly string[]>> = {
  admin: ['manager', 'member', 'reader'],
  manager: ['member', 'reader'],
  member: ['reader'],
};

function mayPass(guard: Line[0], { roles, standing }: Caller, rules: RuleSetName): boolean {
  const held = (roles ?? []).flatMap((role) => [role, ...(IMPLIED[role] ?? [])]);
  if (guard === 'token') return true;
  if (guard === 'that user') return standing === 'A';
  if (guard === 'admin or that user' && standing === 'A') return true;
  if (guard === 'admin or that project' && standing !== 'E') return true;
  if (guard.startsWith('admin')) return held.includes('admin');
  const sheet = sheets.find((one) => one.rules === rules);
  const row = sheet?.rows.find(([action]) => action === guard);
  if (sheet === undefined || row === undefined) throw new Error(`the contract knows no ${guard}`);
  return sheet.roles.some((role, index) => {
    const cell = row[index + 1] ?? '-';
    return held.includes(role) && (cell === 'y' || cell.includes(standing));
  });
}

/** The whole rule: without a token 401, outside an application's rules 403, without a right 403. */
export function statusFor(route: string, caller: Caller, rules: RuleSetName): number {
  const [guard, status] = LINES[route] ?? ['public', 0];
  if (guard === 'public') return status;
  if (caller.roles === null) return 401;
  if (caller.application === 'rules for all else') return 403;
  const exception = EXCEPTIONS.find((one) => one.routes.test(route) && one.callers(caller));
  return exception?.status ?? (mayPass(guard, caller, rules) ? status : 403);
}

export interface Tokens {
  maker: Person;
  /** By the title of the caller, and for an application by the method too. */
  of: (caller: Caller, method: string) => string | undefined;
}

/** Every caller's token. A password is hashed once a user: the other project's token comes of the first. */
export async function makeTokens(coffer: StartedCoffer): Promise<Tokens> {
  const tokens = new Map<string, string>();
  const [admin, maker, mighty, ended, ...people] = await Promise.all([
    coffer.person(['admin'], 'elsewhere'),
    coffer.person(MAKER_ROLES, 'owners'),
    coffer.person(ROLE_NAMES, 'owners'),
    coffer.person(ROLE_NAMES, 'owners'),
    ...ROLE_NAMES.map(async (role) => await coffer.person([role], 'owners')),
  ]);
  const { roles } = (await admin.client.get('/identity/v3/roles')).json;
  for (const [index, role] of ROLE_NAMES.entries()) {
    const person = people[index] as Person;
    const { id } = roles.find(({ name }: { name: string }) => name === role);
    const grant = `/identity/v3/projects/${admin.projectId}/users/${person.userId}/roles/${id}`;
    expect((await admin.client.put(grant)).status).toBe(204);
    tokens.set(role, person.token);
    tokens.set(`${role} elsewhere`, await rescope(coffer, person.token, admin.projectId));
  }
  for (const [title, owner] of [
    ['the maker', maker],
    ['one of all roles', mighty],
  ] as const) {
    tokens.set(title, owner.token);
    await addApplications(coffer, title, owner, tokens);
  }

  const revoked = await coffer.logIn(maker.name, maker.password, 'owners');
  const leaving = rawClient(coffer.url, revoked);
  const subject = { headers: { 'x-subject-token': revoked } };
  expect((await leaving.delete('/identity/v3/auth/tokens', subject)).status).toBe(204);
  tokens.set('a revoked token', revoked);
  const disabling = { body: { user: { enabled: false } } };
  const disabled = await admin.client.send('PATCH', `/identity/v3/users/${ended.userId}`, disabling);
  expect(disabled.status, disabled.text).toBe(200);
  tokens.set('a disabled user', ended.token);
  const of: Tokens['of'] = ({ title, application }, method) =>
    tokens.get(application === undefined ? title : `${title} ${method}`);
  return { maker, of };
}

async function rescope({ stranger }: StartedCoffer, id: string, projectId: string): Promise<string> {
  const identity = { methods: ['token'], token: { id } };
  const auth = { identity, scope: { project: { id: projectId } } };
  const reply = await stranger.post('/identity/v3/auth/tokens', { auth });
  expect(reply.status, reply.text).toBe(201);
  return String(reply.headers['x-subject-token']);
}

/** A rule as access rules have it: identity's own paths begin with its version. */
function ruleFor(method: string, path: string): object {
  const service = path.startsWith('/identity') ? 'identity' : 'key-manager';
  return { service, method, path: path.replace(/^\/identity(?=\/)/, '') };
}

/** One credential for all routes of a method, and one for every method and service but those. */
async function addApplications(
  coffer: StartedCoffer,
  owner: string,
  person: Person,
  tokens: Map<string, string>,
): Promise<void> {
  const add = async (method: string, application: Caller['application'], fields: object): Promise<void> => {
    const { id, secret }: MadeCredential = await makeCredential(person, fields);
    const reply = await logInWith(coffer, { id, secret });
    expect(reply.status, reply.text).toBe(201);
    tokens.set(
      `the application of ${owner} with ${application} ${method}`,
      String(reply.headers['x-subject-token']),
    );
  };
  for (const method of METHODS) {
    const routes = Object.keys(LINES).map((route) => route.split(' ') as [string, string]);
    const matching = routes.filter(([asked]) => asked === method).map((route) => ruleFor(...route));
    const others = METHODS.filter((other) => other !== method).flatMap((other) =>
      ['identity', 'key-manager'].map((service) => ({ service, method: other, path: '/**' })),
    );
    const near = [
      { service: 'compute', method, path: '/**' },
      { service: 'key-manager', method, path: '/identity/**' },
      { service: 'identity', method, path: '/v1/**' },
    ];
    await add(method, 'no rules', {});
    await add(method, 'a rule for it', { access_rules: matching });
    await add(method, 'rules for all else', { access_rules: [...others, ...near] });
  }
}
