import type { RevisionMemory } from '../db/revisions.ts';
import { CofferError } from '../errors.ts';
import { authenticationRequired } from '../http/errors.ts';
import { type Actor, expandRoles } from '../policy/actor.ts';
import { isCredentialEnded } from './applications/application-rights.ts';
import { originOf, scopeOf, type TokenClaims } from './claims.ts';
import type { IdentityParts, Rights } from './rights.ts';
import { readTokenRights } from './token-rights.ts';
import { isFromBefore } from './valid-from.ts';

const AGE_MAX_MS = 5_000;
const ENTRIES_MAX = 10_000;

interface Entry {
  rights: Promise<Rights | undefined>;
  roles: Promise<string[]>;
  expires: number;
}

export interface Actors {
  /** @throws CofferError `unauthorized` when the user or project is gone, disabled, or revoked the token. */
  find(claims: TokenClaims): Promise<{ actor: Actor; rights: Rights }>;
  /** `find` by what the database says now: a token that ended within those 5 s must not give a new one. */
  findAnew(claims: TokenClaims): Promise<{ actor: Actor; rights: Rights }>;
  /** Rights are read anew from now on. */
  forget(): void;
}

/** What a token's user may do, at most 5 s old. */
export function createActors(parts: IdentityParts, memory: RevisionMemory): Actors {
  const entries = new Map<string, Entry>();

  const keyOf = ({ sub, prj, dom, sys, app, iss_id }: TokenClaims): string =>
    JSON.stringify([sub, prj, dom, sys, app, iss_id]);

  const read = (claims: TokenClaims): Entry => {
    const key = keyOf(claims);
    const rights = readTokenRights(parts, memory, claims.sub, scopeOf(claims), originOf(claims));
    const roles = rights.then((found) => expandRoles(found?.roles.map(({ name }) => name) ?? []));
    const entry = { rights, roles, expires: performance.now() + AGE_MAX_MS };
    if (entries.size >= ENTRIES_MAX) entries.clear();
    entries.set(key, entry);
    roles.catch(() => {
      if (entries.get(key) === entry) entries.delete(key);
    });
    return entry;
  };

  const judge = async (claims: TokenClaims, entry: Entry): Promise<{ actor: Actor; rights: Rights }> => {
    const [rights, roles] = await Promise.all([entry.rights, entry.roles]);
    if (rights === undefined || isFromBefore(claims, rights.user.tokens_valid_from)) throw refused();
    if (isFromBefore(claims, rights.project?.tokens_valid_from ?? null)) throw refused();
    if (isFromBefore(claims, rights.issuer?.tokens_valid_from ?? null)) throw refused();
    const { user, project, scope, issuer } = rights;
    // As in Keystone: a token for a scope in which nothing is left to its user is no token.
    if (scope.kind !== 'unscoped' && rights.roles.length === 0) throw refused();
    const credential = rights.application?.row;
    if (credential !== undefined) {
      if (isCredentialEnded(credential, parts.clock.now())) throw refused();
      if (isFromBefore(claims, credential.tokens_valid_from)) throw refused();
    }
    const actor: Actor = {
      userId: user.id,
      scope: scope.kind,
      projectId: project?.id ?? null,
      scopeDomainId: scope.kind === 'domain' ? scope.id : null,
      roles,
      domainId: user.domain_id,
      auditId: claims.jti,
      applicationCredentialId: credential?.id ?? null,
      accessRules: rights.application?.accessRules ?? null,
      ...(issuer === undefined ? {} : { workload: { issuer: issuer.name, subject: claims.iss_sub ?? '' } }),
    };
    return { actor, rights };
  };

  return {
    find: async (claims) => {
      const known = entries.get(keyOf(claims));
      const isCurrent = known !== undefined && known.expires > performance.now();
      return await judge(claims, isCurrent ? known : read(claims));
    },
    findAnew: async (claims) => await judge(claims, read(claims)),
    forget: () => entries.clear(),
  };
}

function refused(): CofferError {
  return new CofferError('unauthorized', authenticationRequired);
}
