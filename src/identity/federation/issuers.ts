import { createPasswordHasher } from '../../crypto/password.ts';
import type { Queryable } from '../../db/open.ts';
import type { IssuerRow, ProjectRow, RoleRow, UserRow } from '../../db/schema.ts';
import { deleteRow, holdRows, insertRow, openRow, sealRow, updateRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import { announce, commonColumns, createUser, getProject, getRole, newId } from '../administration.ts';
import { removeCredentialsOfUser } from '../applications/credential-rows.ts';
import { untilCurrent } from '../assignments.ts';
import { ISSUER_PREFIX } from '../names.ts';
import { listRoles } from '../queries.ts';
import { type IdentityParts, readUser } from '../rights.ts';
import { nextValidFrom } from '../valid-from.ts';
import { findIssuerByName, listIssuers as listIssuerRows } from './issuer-queries.ts';
import { encodeClaims, encodeRoleIds } from './issuer-record.ts';
import { formatKeySet, type PublicKey } from './key-set.ts';

export interface KeySource {
  /** Where the keys are read; null when they are given. */
  url: string | null;
  keys: readonly PublicKey[] | null;
}

export interface NewIssuer extends KeySource {
  name: string;
  issuerUrl: string;
  audience: string;
  claims: ReadonlyMap<string, string>;
  /** By name. */
  project: string;
  roles: readonly string[];
  allowPrivate: boolean;
  allowHttp: boolean;
}

export interface IssuerChange extends Partial<KeySource> {
  enabled?: boolean;
  /** Ends the tokens that there are. */
  revokesTokens?: boolean;
}

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/;
const TEXT_MAX = 255;

/** Makes an issuer and the user that its tokens belong to: no password, its roles in its project. */
export async function createIssuer(parts: IdentityParts, given: NewIssuer): Promise<IssuerRow> {
  requireSound(given);
  try {
    await untilCurrent(async () => await insertIssuer(parts, given));
  } catch (error) {
    if (!(error instanceof CofferError && error.code === 'conflict')) throw error;
    throw new CofferError('conflict', `There is an issuer or a user of the name ${given.name} already.`);
  }
  return await getIssuer(parts, given.name);
}

async function insertIssuer(parts: IdentityParts, given: NewIssuer): Promise<void> {
  const project = await getProject(parts, given.project);
  const roles = await Promise.all(given.roles.map(async (name) => await getRole(parts, name)));
  const scope = { kind: 'project', id: project.id } as const;
  const grants = roles.map((role) => ({ scope, role, project }));
  const beside = async (tx: Queryable, user: UserRow): Promise<void> => {
    await insertRow(tx, 'issuers', await sealIssuer(parts, given, project, roles, user));
  };
  await createUser(parts, createPasswordHasher(), `${ISSUER_PREFIX}${given.name}`, null, {
    grants,
    isMachine: true,
    beside,
  });
}

async function sealIssuer(
  parts: IdentityParts,
  { name, issuerUrl, audience, claims, url, keys, allowPrivate, allowHttp }: NewIssuer,
  project: ProjectRow,
  roles: readonly RoleRow[],
  user: UserRow,
): Promise<IssuerRow> {
  return await sealRow(parts.keyring, 'issuers', {
    id: newId(),
    name,
    name_key: name.toLowerCase(),
    issuer_url: issuerUrl,
    jwks_url: url,
    key_set: keys === null ? null : formatKeySet(keys),
    audience,
    claims: encodeClaims(claims),
    project_id: project.id,
    role_ids: encodeRoleIds(roles.map(({ id }) => id)),
    user_id: user.id,
    allow_private: allowPrivate,
    allow_http: allowHttp,
    enabled: true,
    tokens_valid_from: null,
    ...(await commonColumns(parts)),
  });
}

/** @throws CofferError `not_found`. */
export async function getIssuer({ db, keyring }: IdentityParts, name: string): Promise<IssuerRow> {
  const key = name.toLowerCase();
  const row = await findIssuerByName(db, key);
  if (row === undefined) throw new CofferError('not_found', `There is no issuer ${name}.`);
  return await openRow(keyring, 'issuers', { name_key: key }, row);
}

export async function listIssuers({ db, keyring }: IdentityParts): Promise<IssuerRow[]> {
  const rows = await listIssuerRows(db);
  return await Promise.all(rows.map(async (row) => await openRow(keyring, 'issuers', {}, row)));
}

export async function changeIssuer(
  parts: IdentityParts,
  name: string,
  { enabled, revokesTokens, url, keys }: IssuerChange,
): Promise<IssuerRow> {
  return await untilCurrent(async () => {
    const issuer = await getIssuer(parts, name);
    const now = parts.clock.now();
    return await parts.db.transaction(async (tx) => {
      const changed = await updateRow(tx, parts.keyring, 'issuers', issuer, {
        ...(enabled === undefined ? {} : { enabled }),
        ...(revokesTokens === true
          ? { tokens_valid_from: nextValidFrom(now, issuer.tokens_valid_from) }
          : {}),
        ...(url === undefined ? {} : { jwks_url: url }),
        ...(keys === undefined ? {} : { key_set: keys === null ? null : formatKeySet(keys) }),
        updated: now,
      });
      await announce(tx);
      return changed;
    });
  });
}

/** Deletes an issuer with its user: their tokens end. Resolves to its id. */
export async function deleteIssuer(parts: IdentityParts, name: string): Promise<string> {
  return await untilCurrent(async () => {
    const issuer = await getIssuer(parts, name);
    const known = await readUser(parts, issuer.user_id, null);
    await parts.db.transaction(async (tx) => {
      await deleteRow(tx, 'issuers', issuer);
      if (known !== undefined) {
        await holdRows(tx, [{ table: 'users', row: known.user, change: true }]);
        await removeCredentialsOfUser(parts, tx, known.user.id, null);
      }
      for (const assignment of known?.assignments ?? []) await deleteRow(tx, 'role_assignments', assignment);
      if (known !== undefined) await deleteRow(tx, 'users', known.user);
      await announce(tx);
    });
    return issuer.id;
  });
}

/** Those of the roles that there still are, by name. */
export async function nameRoles({ db, keyring }: IdentityParts, ids: readonly string[]): Promise<string[]> {
  const rows = (await listRoles(db)).filter(({ id }) => ids.includes(id));
  const roles = await Promise.all(
    rows.map(async (row) => await openRow(keyring, 'roles', { id: row.id }, row)),
  );
  return roles.map(({ name }) => name).sort();
}

function requireSound({ name, issuerUrl, audience, claims, roles }: NewIssuer): void {
  const isText = (text: string): boolean =>
    text.length > 0 && text.length <= TEXT_MAX && text.isWellFormed() && !/[\p{Cc}]/u.test(text);
  if (!NAME.test(name)) {
    throw invalid('An issuer is named by 1 to 64 letters, digits, dots, dashes and underscores.');
  }
  if (!isText(issuerUrl) || !/^https?:\/\//.test(issuerUrl) || !URL.canParse(issuerUrl)) {
    throw invalid('The issuer is the URL that its tokens name as iss, as https://issuer.example.org.');
  }
  if (!isText(audience)) throw invalid('The audience is the text that its tokens name as aud.');
  if (claims.size === 0) {
    throw invalid('Without a claim that must match, everyone whom the issuer knows would be let in.');
  }
  if (![...claims].flat().every(isText)) throw invalid('A claim is NAME=VALUE, of texts.');
  if (roles.length === 0) throw invalid('Without a role its tokens could do nothing.');
}

function invalid(message: string): CofferError {
  return new CofferError('bad_request', message);
}
