import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import { deleteSecret } from '../../src/secrets/service.ts';
import { setProjectLimits } from '../../src/quotas/service.ts';
import { interleave, type Interleaving, randomFrom } from '../harness/interleave.ts';
import { rounds } from '../harness/rounds.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { letIn, writeSecret } from '../projects/doomed-project.ts';

let one: StartedCoffer;
let two: StartedCoffer;
let turns: Interleaving;

beforeAll(async () => {
  one = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  two = await startCoffer({ beside: one });
  turns = interleave([one.installation.db.pool, two.installation.db.pool]);
});

afterAll(async () => {
  await two.stop();
  await one.stop();
});

async function count(table: 'secrets' | 'keks', projectId: string): Promise<number> {
  const { rows } = await one.installation.db.query<{ n: bigint }>({
    text: `SELECT count(*) AS n FROM ${table} WHERE project_id = $1`,
    values: [projectId],
  });
  return Number(rows[0]?.n);
}

async function limitTo(server: StartedCoffer, projectId: string, secrets: number): Promise<void> {
  const { actor, requestId } = letIn('boss', 'admin');
  const boss = { requestId, actor: { ...actor, roles: ['key-manager:service-admin'] } };
  await setProjectLimits(server.server.coffer, boss, projectId, async () => ({
    project_quotas: { secrets },
  }));
}

function failures(outcomes: readonly PromiseSettledResult<unknown>[]): string[] {
  return outcomes.flatMap((outcome) => {
    if (outcome.status === 'fulfilled') return [];
    expect(outcome.reason).toBeInstanceOf(CofferError);
    return [(outcome.reason as CofferError).code];
  });
}

const LIMIT_ROUNDS = rounds(1_000);

describe('creations at the edge of a quota, on two servers', () => {
  it('do not pass it, whatever is deleted meanwhile, and fill it', {
    timeout: 60_000 + LIMIT_ROUNDS * 2_000,
  }, async () => {
    for (let seed = 1; seed <= LIMIT_ROUNDS; seed += 1) {
      const random = randomFrom(seed);
      const projectId = randomUUID();
      const caller = letIn('somebody', projectId);
      const limit = 2 + Math.floor(random() * 3);
      await limitTo(one, projectId, limit);
      const first = await writeSecret(one.server.coffer, caller);
      const anyServer = (): StartedCoffer => (random() < 0.5 ? one : two);
      const creations = Array.from({ length: 5 }, () => {
        const server = anyServer();
        return async () => await writeSecret(server.server.coffer, caller);
      });
      const deletes = random() < 0.5;
      const remover = anyServer();
      const remove = async (): Promise<string> => {
        await deleteSecret(remover.server.coffer, caller, first, () => true);
        return 'deleted';
      };
      const outcomes = await turns.run(seed, [...creations, ...(deletes ? [remove] : [])]);
      const refused = failures(outcomes);
      expect(new Set([...refused, 'forbidden']), `seed ${seed}`).toEqual(new Set(['forbidden']));
      // With a deletion, those that came before it may have been refused, and the place is free at the end.
      const left = await count('secrets', projectId);
      const made = 5 - refused.length;
      expect(left, `seed ${seed}`).toBe(1 + made - (deletes ? 1 : 0));
      expect(left, `seed ${seed}`).toBeLessThanOrEqual(limit);
      expect(left, `seed ${seed}`).toBeGreaterThanOrEqual(deletes ? limit - 1 : limit);
      while ((await count('secrets', projectId)) < limit) await writeSecret(two.server.coffer, caller);
      await expect(writeSecret(two.server.coffer, caller)).rejects.toMatchObject({ code: 'forbidden' });
    }
  });

  it('obey a limit that is set meanwhile from the moment on when it is there', {
    timeout: 60_000 + LIMIT_ROUNDS * 2_000,
  }, async () => {
    for (let seed = 1; seed <= LIMIT_ROUNDS; seed += 1) {
      const projectId = randomUUID();
      const caller = letIn('somebody', projectId);
      await writeSecret(one.server.coffer, caller);
      await two.installation.keyring.useProject(projectId);
      let atTheMoment = 0;
      const outcomes = await turns.run(seed, [
        async () => {
          await limitTo(one, projectId, 3);
          // Not held back: what there is when the limit is known to be set.
          atTheMoment = await count('secrets', projectId);
        },
        ...[one, two, two, one, two].map((server) => async () => {
          await writeSecret(server.server.coffer, caller);
        }),
      ]);
      expect(failures(outcomes).filter((code) => code !== 'forbidden')).toEqual([]);
      const left = await count('secrets', projectId);
      expect(left, `seed ${seed}`).toBeLessThanOrEqual(Math.max(3, atTheMoment));
      expect(left, `seed ${seed}`).toBeGreaterThanOrEqual(3);
    }
  });
});

/** A round is long: what is not run in full is run a few times. */
const WRITER_ROUNDS = rounds(1_000) >= 1_000 ? 1_000 : rounds(150);
const WRITERS = 50;

describe('fifty first writers of a project, on two servers', () => {
  it('end with one KEK, and nothing of them is lost', {
    timeout: 60_000 + WRITER_ROUNDS * 5_000,
  }, async () => {
    for (let seed = 1; seed <= WRITER_ROUNDS; seed += 1) {
      const projectId = randomUUID();
      const caller = letIn('somebody', projectId);
      const writers = Array.from({ length: WRITERS }, (_, n) => async () => {
        return await writeSecret((n % 2 === 0 ? one : two).server.coffer, caller);
      });
      const outcomes = await turns.run(seed, writers);
      expect(failures(outcomes), `seed ${seed}`).toEqual([]);
      expect(await count('keks', projectId), `seed ${seed}`).toBe(1);
      expect(await count('secrets', projectId), `seed ${seed}`).toBe(WRITERS);
    }
  });
});
