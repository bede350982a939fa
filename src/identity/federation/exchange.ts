import type { Coffer } from '../../coffer.ts';
import type { RevisionMemory } from '../../db/revisions.ts';
import { CofferError } from '../../errors.ts';
import { authenticationRequired } from '../../http/errors.ts';
import type { Identity, IdentityOptions } from '../identity.ts';
import { recordedLogin } from '../login-attempt.ts';
import type { Sessions } from '../sessions.ts';
import { readTokenRights } from '../token-rights.ts';
import { fetchKeySet } from './key-set-fetch.ts';
import { createKeySets } from './key-sets.ts';
import { createWorkloads } from './workloads.ts';

/** Of a token that was exchanged for a JWT, as Keystone names it. */
const METHOD = 'openid';

/** Turns JWTs of issuers into tokens of their users, which end no later than the JWT. */
export function createExchange(
  coffer: Coffer,
  memory: RevisionMemory,
  sessions: Sessions,
  { issuerPrivateAddresses }: Pick<IdentityOptions, 'issuerPrivateAddresses'>,
): Identity['exchange'] {
  const keySets = createKeySets({
    fetch: async ({ jwks_url: url, allow_private: allowPrivate, allow_http: allowHttp }) =>
      await fetchKeySet(url ?? '', { allowPrivate: allowPrivate || issuerPrivateAddresses, allowHttp }),
    log: coffer.log,
  });
  const workloads = createWorkloads(coffer, memory, keySets);

  return async (proof, scope, from) =>
    await recordedLogin(coffer, from, METHOD, async (attempt) => {
      const { issuer, subject, expires } = await workloads.prove(proof, from.requestId);
      attempt.userId = issuer.user_id;
      attempt.workload = { issuer: issuer.name, subject };
      const origin = { iss_id: issuer.id, iss_sub: subject };
      const wanted = scope === 'project' ? { kind: scope, id: issuer.project_id } : { kind: scope };
      const rights = await readTokenRights(coffer, memory, issuer.user_id, wanted, origin);
      if (rights === undefined || (scope === 'project' && rights.roles.length === 0)) {
        throw new CofferError('unauthorized', authenticationRequired);
      }
      return { ...sessions.issue(rights, METHOD, undefined, { origin, expires }), rights };
    });
}
