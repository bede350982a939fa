import type { Actor } from './actor.ts';

/** What is asked for; always built from a verified row, never from anything that a request says. */
export interface Target {
  projectId: string;
  creatorId: string | null;
  /** The read ACL. */
  readUsers: readonly string[];
  /** False makes it private: its project's roles alone do not read it. */
  projectAccess: boolean;
}

/** How an actor stands to a target: all that a rule may look at beside the role. */
export interface Standing {
  sameProject: boolean;
  isCreator: boolean;
  isPrivate: boolean;
  onAcl: boolean;
}

/**
 * How the actor stands to the target. An empty id is nobody: it equals nothing, not even another empty one.
 */
export function standingOf(actor: Actor, target: Target): Standing {
  const isSomebody = actor.userId !== '';
  return {
    sameProject: actor.projectId !== '' && actor.projectId === target.projectId,
    isCreator: isSomebody && actor.userId === target.creatorId,
    isPrivate: !target.projectAccess,
    onAcl: isSomebody && target.readUsers.includes(actor.userId),
  };
}
