import type { Logger } from 'pino';
import type { Caller } from '../policy/actor.ts';

/** One decision of `operate`. */
export interface Decision {
  action: string;
  allowed: boolean;
  /** The id of what was asked for, once it is known to exist. */
  subject: string | null;
  /** The project that owns it. */
  subjectProject: string | null;
}

/** Reports a decision as one structured log line. Ids only: no name, payload or token. */
export function recordDecision(log: Logger, caller: Caller, decision: Decision): void {
  const { actor, requestId } = caller;
  log.info(
    {
      audit: {
        action: decision.action,
        outcome: decision.allowed ? 'allowed' : 'refused',
        user: actor.userId,
        project: actor.projectId,
        token: actor.auditId,
        subject: decision.subject,
        subjectProject: decision.subjectProject,
        request: requestId,
      },
    },
    'decision',
  );
}
