import type { Coffer } from '../../coffer.ts';
import type { RevisionMemory } from '../../db/revisions.ts';
import type { IssuerRow } from '../../db/schema.ts';
import { openRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import { authenticationRequired } from '../../http/errors.ts';
import { findIssuerByName, listIssuersByUrl } from './issuer-queries.ts';
import { demandsOf } from './issuer-record.ts';
import type { KeySets } from './key-sets.ts';
import { readNewest } from './newest-issuers.ts';
import {
  JwtRefusal,
  type ProvenJwt,
  type ReadJwt,
  readJwt,
  requireClaims,
  requireSignature,
} from './workload-jwt.ts';

/** A program that showed a JWT of an issuer. */
export interface ProvenWorkload extends ProvenJwt {
  issuer: IssuerRow;
}

export interface WorkloadProof {
  jwt: string;
  /** The name of an issuer; else those count that the JWT itself names. */
  issuer?: string;
  /** The id or name of a project, where several issuers accept the JWT. */
  target?: string;
}

/** The JWT is good, and not for what was asked. */
export class WrongTarget extends CofferError {}

export interface Workloads {
  /**
   * @throws CofferError `unauthorized` for every JWT that no issuer accepts, whatever the reason;
   *   `unavailable` while an issuer's keys cannot be read; `WrongTarget`.
   */
  prove(proof: WorkloadProof, requestId: string): Promise<ProvenWorkload>;
}

type Parts = Pick<Coffer, 'db' | 'keyring' | 'clock' | 'log'>;

/** Who may become the user of an issuer: the bearer of a JWT in which all is as the issuer's row says. */
export function createWorkloads(parts: Parts, memory: RevisionMemory, keySets: KeySets): Workloads {
  const accept = async (
    issuer: IssuerRow,
    jwt: ReadJwt,
    request: string,
  ): Promise<ProvenWorkload | undefined> => {
    try {
      if (!issuer.enabled) throw new JwtRefusal('the issuer is disabled');
      const proven = requireClaims(jwt, demandsOf(issuer), parts.clock.now());
      await requireSignature(jwt, await keySets.find(issuer, jwt.kid, jwt.alg));
      return { ...proven, issuer };
    } catch (error) {
      if (!(error instanceof JwtRefusal)) throw error;
      parts.log.info({ issuer: issuer.name, reason: error.message, request }, 'a JWT was not accepted');
      return undefined;
    }
  };

  return {
    prove: async ({ jwt, issuer: name, target }, requestId) => {
      const read = attemptToRead(jwt);
      const issuers = await readNewest(memory, async () => await findIssuers(parts, name, read));
      const answers = await Promise.all(issuers.map(async (issuer) => await accept(issuer, read, requestId)));
      const accepted = answers.flatMap((workload) => workload ?? []);
      if (accepted.length === 0) throw refused();
      const [one, another] = await selectTarget(parts, accepted, target);
      if (one === undefined)
        throw new WrongTarget('bad_request', 'No issuer gives a token for that audience.');
      if (another !== undefined) {
        throw new WrongTarget('bad_request', 'Several projects accept the token: name one as the audience.');
      }
      return one;
    },
  };
}

function attemptToRead(jwt: string): ReadJwt {
  try {
    return readJwt(jwt);
  } catch (error) {
    throw error instanceof JwtRefusal ? refused() : error;
  }
}

async function findIssuers(
  { db, keyring }: Parts,
  name: string | undefined,
  { claims: { iss } }: ReadJwt,
): Promise<IssuerRow[]> {
  if (name !== undefined) {
    const key = name.toLowerCase();
    const row = await findIssuerByName(db, key);
    return row === undefined ? [] : [await openRow(keyring, 'issuers', { name_key: key }, row)];
  }
  if (typeof iss !== 'string') return [];
  const rows = await listIssuersByUrl(db, iss);
  return await Promise.all(
    rows.map(async (row) => await openRow(keyring, 'issuers', { issuer_url: iss }, row)),
  );
}

async function selectTarget(
  { keyring }: Parts,
  accepted: readonly ProvenWorkload[],
  target: string | undefined,
): Promise<readonly ProvenWorkload[]> {
  if (target === undefined) return accepted;
  const selected: ProvenWorkload[] = [];
  for (const workload of accepted) {
    const { project_id: id } = workload.issuer;
    if (id === target || (await keyring.findProject(id))?.name === target) selected.push(workload);
  }
  return selected;
}

function refused(): CofferError {
  return new CofferError('unauthorized', authenticationRequired);
}
