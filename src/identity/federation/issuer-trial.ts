import type { IssuerRow } from '../../db/schema.ts';
import { demandsOf } from './issuer-record.ts';
import { candidatesOf, parseKeySet, type PublicKey } from './key-set.ts';
import { fetchKeySet, KeySetProblem } from './key-set-fetch.ts';
import { JwtRefusal, readJwt, requireClaims, requireSignature } from './workload-jwt.ts';

export interface Trial {
  isGood: boolean;
  /** For the operator: they hold nothing of the JWT but its subject. */
  lines: readonly string[];
}

/** What the server would do with a JWT of an issuer, and why. */
export async function tryIssuer(
  issuer: IssuerRow,
  jwt: string | undefined,
  { now, privateAddresses }: { now: Date; privateAddresses: boolean },
): Promise<Trial> {
  const lines: string[] = [];
  try {
    const keys = await readKeys(issuer, privateAddresses);
    lines.push(`key set: ${keys.length} usable`);
    if (!issuer.enabled) throw new JwtRefusal('the issuer is disabled');
    if (jwt === undefined) return { isGood: true, lines };
    const read = readJwt(jwt);
    const { subject, expires } = requireClaims(read, demandsOf(issuer), now);
    await requireSignature(read, candidatesOf(keys, read.kid, read.alg));
    lines.push(
      `JWT: accepted, of ${JSON.stringify(subject)}, until ${new Date(expires * 1000).toISOString()}`,
    );
    return { isGood: true, lines };
  } catch (error) {
    if (error instanceof KeySetProblem)
      return { isGood: false, lines: [...lines, `key set: ${error.message}`] };
    if (error instanceof JwtRefusal) return { isGood: false, lines: [...lines, `refused: ${error.message}`] };
    throw error;
  }
}

async function readKeys(issuer: IssuerRow, privateAddresses: boolean): Promise<readonly PublicKey[]> {
  if (issuer.key_set !== null) return parseKeySet(issuer.key_set);
  const { jwks_url: url, allow_private: allowPrivate, allow_http: allowHttp } = issuer;
  return parseKeySet(
    await fetchKeySet(url ?? '', { allowPrivate: allowPrivate || privateAddresses, allowHttp }),
  );
}
