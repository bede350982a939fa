import type { Clock, Coffer } from '../coffer.ts';
import { SYSTEM_PROJECT } from '../db/layouts.ts';
import type { RevisionMemory } from '../db/revisions.ts';
import { insertRow, sealRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { authenticationRequired } from '../http/errors.ts';
import { IDENTITY_CHANNEL } from '../db/channels.ts';
import { REVOKED } from './administration.ts';
import { originOf, scopeClaims, type TokenClaims, type TokenOrigin } from './claims.ts';
import { endTokensOfApplication, endTokensOfUser } from './end-tokens.ts';
import { countRevocations } from './queries.ts';
import { openRevocations } from './revocations.ts';
import type { Rights } from './rights.ts';
import { openSigningKeys, type SigningKeys } from './signing-keys.ts';
import { createTokens, type SignedToken, type SigningKey, type Tokens, TTL_SECONDS_MAX } from './tokens.ts';

/** Tokens as long as they live: signed with a current key, good until they end or are revoked. */
export interface Sessions {
  /** A token of another, `parent`, never outlives it, and has its origin. */
  issue(rights: Rights, method: string, parent: TokenClaims | undefined, first?: FirstToken): SignedToken;
  /** @throws CofferError `unauthorized`; `unavailable` when revocations are not known. */
  verify(token: string, expiredSecondsMax?: number): Promise<TokenClaims>;
  /**
   * Ends a token, and with a first one all that came of it. Past so many of one user it ends all of the user
   * or of the application credential.
   */
  revoke(claims: TokenClaims): Promise<'one' | 'all'>;
  refreshRevocations(): Promise<void>;
  refreshKeys(): Promise<void>;
  verificationKeys(): readonly SigningKey[];
}

/** Of a token that comes of no other. */
export interface FirstToken {
  origin: TokenOrigin;
  /** Seconds since 1970, where what was shown for it ends. */
  expires?: number;
}

/** Single tokens of one user that may be revoked at a time: every server remembers each until it ends. */
const REVOCATIONS_MAX = 1_000;

export async function openSessions(
  coffer: Coffer,
  ttlSeconds: number,
  memory: RevisionMemory,
): Promise<Sessions> {
  const { clock, keyring } = coffer;
  const keys = await openSigningKeys(coffer, memory);
  const revocations = await openRevocations(coffer);
  // Of the installation, not of the address: a server that moves keeps its tokens.
  const issuer = `coffer:${Buffer.from(keyring.installationId).toString('hex')}`;
  const tokens = createTokens(issuer, (id) => keys.find(id));
  const verifyWithNewKeys = createVerification(tokens, keys, clock);

  return {
    issue: (rights, method, parent, first) => {
      const issued = issueTime(clock.now(), rights);
      const iat = Math.floor(issued / 1000);
      const claims = {
        sub: rights.user.id,
        ...scopeClaims(rights.scope),
        ...(parent === undefined ? first?.origin : originOf(parent)),
        iat,
        ms: issued % 1000,
        exp: Math.min(
          iat + Math.min(ttlSeconds, TTL_SECONDS_MAX),
          parent?.exp ?? first?.expires ?? Number.MAX_SAFE_INTEGER,
        ),
        methods: [...new Set([...(parent?.methods ?? []), method])],
      };
      return tokens.sign(keys.current(), claims, parent);
    },
    verify: async (token, expiredSecondsMax) => {
      const claims = await verifyWithNewKeys(token, expiredSecondsMax);
      // With the first token of a chain goes all of the chain, as in Keystone.
      const ids = [claims.jti, ...claims.audit_ids];
      if (ids.some((id) => revocations.isRevoked(id))) {
        throw new CofferError('unauthorized', authenticationRequired);
      }
      return claims;
    },
    revoke: async (claims) => {
      if ((await countRevocations(coffer.db, claims.sub)) >= REVOCATIONS_MAX) {
        if (claims.app === undefined) await endTokensOfUser(coffer, claims.sub);
        else await endTokensOfApplication(coffer, claims.app);
        return 'all';
      }
      await insertRevocation(coffer, claims);
      revocations.add(claims.jti, new Date(claims.exp * 1000));
      await coffer.db.query({ text: `NOTIFY ${IDENTITY_CHANNEL}, '${REVOKED}'` });
      return 'one';
    },
    refreshRevocations: async () => await revocations.refresh(),
    refreshKeys: async () => await keys.refresh(),
    verificationKeys: () => keys.all(),
  };
}

/** For a token of an unknown key they are read again: another server may have made one. */
function createVerification(tokens: Tokens, keys: SigningKeys, clock: Clock) {
  return async (token: string, expiredSecondsMax = 0): Promise<TokenClaims> => {
    try {
      return tokens.verify(token, clock.now(), expiredSecondsMax);
    } catch (error) {
      if (!(error instanceof CofferError && error.code === 'unauthorized')) throw error;
      const id = tokens.keyIdOf(token);
      if (keys.find(id) !== undefined) throw error;
      await keys.refreshFor(id);
      return tokens.verify(token, clock.now(), expiredSecondsMax);
    }
  };
}

/** Now; after all of the user, project, issuer or application were ended, not before that. */
function issueTime(now: Date, { user, project, issuer, application }: Rights): number {
  const rows = [user, project, issuer, application?.row];
  const validFrom = rows.map((row) => row?.tokens_valid_from);
  return Math.max(now.getTime(), ...validFrom.map((at) => at?.getTime() ?? 0));
}

async function insertRevocation({ db, keyring, clock }: Coffer, claims: TokenClaims): Promise<void> {
  const system = await keyring.findProject(SYSTEM_PROJECT);
  if (system === undefined) throw new CofferError('integrity_violation', 'Integrity Violation');
  const created = clock.now();
  const row = await sealRow(keyring, 'revoked_tokens', {
    id: claims.jti,
    user_id: claims.sub,
    expires: new Date(claims.exp * 1000),
    created,
    updated: created,
    revision: 1n,
    epoch: system.active_epoch,
  });
  try {
    await insertRow(db, 'revoked_tokens', row);
  } catch (error) {
    // Revoked already, by someone who was faster.
    if (!(error instanceof CofferError && error.code === 'conflict')) throw error;
  }
}
