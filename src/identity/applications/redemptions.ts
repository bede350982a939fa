import { randomUUID } from 'node:crypto';
import { recordRedemption, type RedemptionRecord } from '../../audit/record.ts';
import type { Coffer } from '../../coffer.ts';
import type { Queryable } from '../../db/open.ts';
import type { ApplicationCredentialRow, RedemptionRow } from '../../db/schema.ts';
import { insertRow, openRow, sealRow, updateRow } from '../../db/sealed.ts';
import { CofferError } from '../../errors.ts';
import { announce, commonColumns } from '../administration.ts';
import { untilCurrent } from '../assignments.ts';
import type { LoginOrigin } from '../login-attempt.ts';
import type { IdentityParts } from '../rights.ts';
import { isCredentialEnded } from './application-rights.ts';
import { findRedemption } from './credential-queries.ts';
import { hashCode, hashSecret, isMadeSecret, makeSecret } from './credential-secret.ts';
import { isFromSource } from './redemption-source.ts';

const LIFE_MS = 10 * 60_000;

/** A code that gives the credential its secret: once, within ten minutes. Only its hash is kept. */
export async function insertRedemption(
  parts: IdentityParts,
  tx: Queryable,
  credential: Pick<ApplicationCredentialRow, 'id'>,
  source: string | null,
): Promise<{ code: string; expires: Date }> {
  const code = makeSecret('cofr');
  const expires = new Date(parts.clock.now().getTime() + LIFE_MS);
  const row = await sealRow(parts.keyring, 'redemptions', {
    id: randomUUID(),
    application_credential_id: credential.id,
    code_hash: hashCode(code),
    source,
    expires,
    redeemed: null,
    ...(await commonColumns(parts)),
  });
  await insertRow(tx, 'redemptions', row);
  return { code, expires };
}

export interface Redeemed {
  row: ApplicationCredentialRow;
  secret: string;
}

type Parts = Pick<Coffer, 'db' | 'keyring' | 'clock' | 'log'>;

/**
 * Gives the secret of the credential that the code is for. The secret is made now, so that until then there
 * is none to be read. Of two who redeem, one gets it; then it is not known whether that was the application,
 * and the credential is revoked.
 *
 * @throws CofferError `not_found` for a code that is unknown, ended, or of another source; `conflict` for one
 *   that was redeemed before.
 */
export async function redeem(parts: Parts, code: string, origin: LoginOrigin): Promise<Redeemed> {
  if (!isMadeSecret('cofr', code)) throw unknownCode();
  return await untilCurrent(async () => {
    const code_hash = hashCode(code);
    const found = await findRedemption(parts.db, code_hash);
    if (found === undefined) throw unknownCode();
    const redemption = await openRow(parts.keyring, 'redemptions', { code_hash }, found.redemption);
    if (found.credential === null) throw unknownCode();
    const asked = { id: redemption.application_credential_id };
    const credential = await openRow(parts.keyring, 'application_credentials', asked, found.credential);
    const record = (outcome: RedemptionRecord['outcome'], reason?: RedemptionRecord['reason']): void =>
      recordRedemption(parts.log, {
        outcome,
        credentialId: credential.id,
        userId: credential.user_id,
        projectId: credential.project_id,
        ...origin,
        ...(reason === undefined ? {} : { reason }),
      });
    if (redemption.source !== null && !isFromSource(redemption.source, origin.source)) {
      record('refused', 'source');
      throw unknownCode();
    }
    if (redemption.redeemed !== null) {
      await revokeCredential(parts, credential);
      record('revoked', 'redeemed before');
      throw new CofferError(
        'conflict',
        'This code was redeemed before. Its application credential is revoked: ask for a new code.',
      );
    }
    const now = parts.clock.now();
    if (redemption.expires <= now || !credential.enabled || isCredentialEnded(credential, now)) {
      record('refused', 'ended');
      throw unknownCode();
    }
    // The row of an unused code was put back: it gave its secret already.
    if (credential.secret_hash !== null) throw new CofferError('integrity_violation', 'Integrity Violation');
    const redeemed = await writeSecret(parts, redemption, credential);
    record('allowed');
    return redeemed;
  });
}

/** Both rows, or with StaleRow neither: then another one was faster. */
async function writeSecret(
  { db, keyring, clock }: Parts,
  redemption: RedemptionRow,
  credential: ApplicationCredentialRow,
): Promise<Redeemed> {
  const secret = makeSecret('cofa');
  const updated = clock.now();
  const row = await db.transaction(async (tx) => {
    await updateRow(tx, keyring, 'redemptions', redemption, { redeemed: updated, updated });
    const changes = { secret_hash: hashSecret(credential.id, secret), updated };
    return await updateRow(tx, keyring, 'application_credentials', credential, changes);
  });
  return { row, secret };
}

/** Its secret logs nobody in any more, and its tokens end on every server within 5 s. */
export async function revokeCredential(
  { db, keyring, clock }: IdentityParts,
  credential: ApplicationCredentialRow,
): Promise<void> {
  if (!credential.enabled) return;
  await db.transaction(async (tx) => {
    const changes = { enabled: false, updated: clock.now() };
    await updateRow(tx, keyring, 'application_credentials', credential, changes);
    await announce(tx);
  });
}

function unknownCode(): CofferError {
  return new CofferError('not_found', 'This code is not known here, or has expired. Ask for a new one.');
}
