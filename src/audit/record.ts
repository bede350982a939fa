import type { Logger } from 'pino';
import type { Caller } from '../policy/actor.ts';

/** One decision: of `operate`, of a service of identity, or of the gate. */
export interface Decision {
  action: string;
  allowed: boolean;
  /** The id of what was asked for, once it is known to exist. */
  subject: string | null;
  /** The project that owns it. */
  subjectProject: string | null;
  /** Of a refusal that is not for want of a role. */
  reason?: 'access rules';
}

/** What a decision needs of a logger. */
export interface DecisionLog {
  info(fields: object, message: string): void;
}

/** Reports a decision as one structured log line. Ids only: no name, payload or token. */
export function recordDecision(log: DecisionLog, caller: Caller, decision: Decision): void {
  const { actor, requestId } = caller;
  log.info(
    {
      audit: {
        action: decision.action,
        outcome: decision.allowed ? 'allowed' : 'refused',
        user: actor.userId,
        project: actor.projectId,
        token: actor.auditId,
        ...(actor.applicationCredentialId === null ? {} : { application: actor.applicationCredentialId }),
        ...(actor.workload === undefined ? {} : { workload: actor.workload }),
        subject: decision.subject,
        subjectProject: decision.subjectProject,
        ...(decision.reason === undefined ? {} : { reason: decision.reason }),
        request: requestId,
      },
    },
    'decision',
  );
}

/** Reports what was done on the server's machine, by whoever may read the keyring. */
export function recordOperator(
  log: Logger,
  { action, subject, account }: { action: string; subject: string; account: number | null },
): void {
  log.info({ audit: { action, outcome: 'allowed', user: 'operator', account, subject } }, 'decision');
}

/** One log-in that was granted or refused. */
export interface LoginRecord {
  allowed: boolean;
  /** The id of who was resolved; never what was typed, which may be a password in the wrong field. */
  userId: string | null;
  applicationId: string | null;
  method: string;
  /** The address that it came from. */
  source: string;
  /** Of the token that was given. */
  projectId: string | null;
  tokenId: string | null;
  requestId: string;
  /** Too many wrong passwords: this one was not looked at. */
  isHeld: boolean;
  /** Whose JWT it was: the issuer's name here, and the subject there. */
  workload?: { issuer: string; subject: string };
}

/** Reports a log-in as one structured log line, beside the decisions. */
export function recordLogin(log: Logger, login: LoginRecord): void {
  log.info(
    {
      audit: {
        action: 'identity:log_in',
        outcome: login.allowed ? 'allowed' : 'refused',
        user: login.userId ?? 'unknown',
        ...(login.applicationId === null ? {} : { application: login.applicationId }),
        method: login.method,
        source: login.source,
        project: login.projectId,
        token: login.tokenId,
        ...(login.isHeld ? { held: true } : {}),
        ...(login.workload === undefined ? {} : { workload: login.workload }),
        request: login.requestId,
      },
    },
    'log-in',
  );
}

/** Reports a signing key that a server learnt of, or whose end changed: a rotation, whoever made it. */
export function recordSigningKey(log: Logger, key: { id: string; notBefore: Date; notAfter: Date }): void {
  const { id, notBefore, notAfter } = key;
  log.info({ audit: { action: 'identity:signing_key', key: id, notBefore, notAfter } }, 'signing key');
}

/** One attempt at a redemption code that is known. */
export interface RedemptionRecord {
  outcome: 'allowed' | 'refused' | 'revoked';
  credentialId: string;
  userId: string;
  projectId: string;
  source: string;
  requestId: string;
  reason?: 'ended' | 'source' | 'redeemed before';
}

/** Reports it as one structured log line; a code that was redeemed twice as a warning. */
export function recordRedemption(log: Logger, record: RedemptionRecord): void {
  const { outcome, credentialId, userId, projectId, source, requestId, reason } = record;
  const line = {
    audit: {
      action: 'redemptions:post',
      outcome,
      user: userId,
      project: projectId,
      subject: credentialId,
      source,
      ...(reason === undefined ? {} : { reason }),
      request: requestId,
    },
  };
  if (outcome === 'revoked') {
    log.warn(line, 'a redemption code was used twice: its application credential is revoked');
  } else log.info(line, 'redemption');
}
