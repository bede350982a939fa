import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject } from '../../src/identity/administration.ts';
import type { KekRow } from '../../src/db/schema.ts';
import { insertRow } from '../../src/db/sealed.ts';
import { KEK_TTL_MS } from '../../src/keyring/keyring.ts';
import { createProjectDeletion, deleteProject, ROW_STAYS_SECONDS } from '../../src/projects/deletion.ts';
import { setProjectLimits } from '../../src/quotas/service.ts';
import { readPayload } from '../../src/secrets/service.ts';
import { FAULTS, failCallsOf } from '../faults/failing-calls.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import {
  countLeft,
  deletionJob,
  fillProject,
  fillQuickly,
  finishDeletion,
  letIn,
  writeSecret,
} from './doomed-project.ts';

let one: StartedCoffer;
let two: StartedCoffer;
let user: Person;

beforeAll(async () => {
  // The jobs are run by hand.
  one = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  two = await startCoffer({ beside: one });
  user = await one.person(['observer']);
});

afterAll(async () => {
  await two.stop();
  await one.stop();
});

const mark = async (projectId: string): Promise<void> => await deleteProject(one.server.coffer, projectId);

async function statusOn(server: StartedCoffer, { token }: Person): Promise<number> {
  const asked = { headers: { 'x-auth-token': token } };
  return (await server.stranger.get('/v1/secrets', asked)).status;
}

describe('a project that is deleted', () => {
  it('ends its tokens on every server within 5 s, and gives no new one', async () => {
    const [person] = await fillProject(one, 'ending');
    expect([await statusOn(one, person), await statusOn(two, person)]).toEqual([200, 200]);
    await mark(person.projectId);
    for (const server of [one, two]) {
      await expect.poll(async () => await statusOn(server, person), { timeout: 5_000 }).toBe(401);
      await expect(server.logIn(person.name, person.password, 'ending')).rejects.toThrow('401');
    }
  });

  it('leaves nothing: no row, no key, no role; and takes nothing of another', async () => {
    const [person, reader] = await fillProject(one, 'whole');
    const [neighbour] = await fillProject(one, 'neighbour');
    const before = await countLeft(one, neighbour.projectId);
    expect(await countLeft(one, person.projectId)).toMatchObject({
      secrets: 3,
      keks: 1,
      role_assignments: 3,
    });
    await mark(person.projectId);
    await finishDeletion(one);
    expect(await countLeft(one, person.projectId)).toEqual({});
    expect(await countLeft(one, neighbour.projectId)).toEqual(before);
    expect(await statusOn(two, neighbour)).toBe(200);
    // Users stay, with what they have elsewhere.
    const unscoped = await one.logIn(reader.name, reader.password);
    expect(unscoped).not.toBe('');
  });

  it('gives its name free at once', async () => {
    const [person] = await fillProject(one, 'twice');
    await mark(person.projectId);
    const again = await createProject({ ...one.server.coffer }, 'twice');
    expect(again.id).not.toBe(person.projectId);
    await finishDeletion(one);
    expect(await countLeft(one, again.id)).toEqual({ projects: 1 });
  });

  it('is deleted once: after that it is not there', async () => {
    const [person] = await fillProject(one, 'once');
    await mark(person.projectId);
    await expect(mark(person.projectId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(mark('system')).rejects.toMatchObject({ code: 'not_found' });
    await expect(mark('of nobody')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('lets nobody write in it, whoever came in before', async () => {
    const [person] = await fillProject(one, 'closed');
    await mark(person.projectId);
    for (const { installation } of [one, two]) {
      installation.keyring.forgetProject();
      const writing = installation.keyring.useProject(person.projectId);
      await expect(writing).rejects.toMatchObject({ code: 'forbidden' });
    }
  });

  it('keeps its row while somebody may still come with an old right, so that no new one is made', async () => {
    const [person] = await fillProject(two, 'lingering');
    await mark(person.projectId);
    await finishDeletion(one, 600);
    expect(await countLeft(one, person.projectId)).toEqual({ projects: 1 });
    two.installation.keyring.forgetProject();
    const writing = two.installation.keyring.useProject(person.projectId);
    await expect(writing).rejects.toMatchObject({ code: 'forbidden' });
    await finishDeletion(one);
    expect(await countLeft(one, person.projectId)).toEqual({});
  });
});

describe('a project of an outside Keystone', () => {
  it('can be used again once its deletion is over, on servers that remember it, with keys of its own', async () => {
    const projectId = randomUUID();
    const caller = letIn(user.userId, projectId);
    const manager = { ...caller, actor: { ...caller.actor, roles: ['key-manager:service-admin'] } };
    const servers = [one.server.coffer, two.server.coffer];
    const kekOf = async () => {
      const text = 'SELECT * FROM keks WHERE project_id = $1 ORDER BY epoch';
      return (await one.installation.db.query<KekRow>({ text, values: [projectId] })).rows;
    };
    let former: KekRow | undefined;
    for (const life of [1n, 2n, 3n]) {
      const ids: string[] = [];
      for (const { keyring, ...coffer } of servers) {
        keyring.forgetProject(projectId);
        ids.push(await writeSecret({ ...coffer, keyring }, caller));
      }
      for (const coffer of servers) {
        for (const id of ids) {
          const { payload } = await readPayload(coffer, caller, id, 'reading');
          expect(Buffer.from(payload).toString()).toBe('of somebody who was let in');
        }
      }
      const [kek, ...others] = await kekOf();
      expect([kek?.epoch, others]).toEqual([life, []]);
      // That of a former life opens nowhere, though it was this project's.
      if (former !== undefined) {
        await insertRow(one.installation.db, 'keks', former);
        const opened = one.installation.keyring.withRowsKey(projectId, former.epoch, () => 'open');
        await expect(opened).rejects.toMatchObject({ code: 'integrity_violation' });
      }
      former = kek;
      const limits = { project_quotas: { secrets: 100 } };
      await setProjectLimits(one.server.coffer, manager, projectId, async () => limits);
      await mark(projectId);
      for (const { keyring } of servers) expect(await keyring.findProject(projectId)).toBeDefined();
      await finishDeletion(one);
      one.installation.keyring.forgetProject(projectId);
      const left = await one.installation.keyring.findProject(projectId);
      expect(left).toMatchObject({ deleted: null, limits: null, preferred_store: null });
    }
    expect(await countLeft(one, projectId)).toEqual({ projects: 1 });
  });

  it('is not deleted before every server has given its keys up, asked or not', () => {
    expect(ROW_STAYS_SECONDS * 1_000).toBeGreaterThan(KEK_TTL_MS);
  });
});

describe('the deletion of a project', () => {
  it.each(FAULTS)(
    'is taken up again by the next run, whichever call to the database was %s',
    async (fault) => {
      const calls = failCallsOf(one.installation.db.pool);
      const run = deletionJob(one);
      let n = 1;
      for (; ; n += 1) {
        const projectId = await fillQuickly(one, user.userId);
        await mark(projectId);
        calls.arm(fault, n);
        let failures = 0;
        for (let turn = 0; turn < 100; turn += 1) {
          const outcome = await run().catch(() => {
            failures += 1;
            return 'more';
          });
          if (outcome === 'done') break;
        }
        calls.disarm();
        expect(await countLeft(one, projectId)).toEqual({});
        if (!calls.hasStruck()) break;
        expect(failures).toBeLessThanOrEqual(1);
      }
      expect(n).toBeGreaterThan(5);
    },
  );

  it('leaves those alone that only wait, while there is work on others, and takes up new ones at once', async () => {
    const { coffer } = one.server;
    const waiting = [await fillQuickly(one, user.userId), await fillQuickly(one, user.userId)];
    for (const projectId of waiting) await mark(projectId);
    await finishDeletion(one, 600);
    const busy = await fillQuickly(one, user.userId);
    await mark(busy);
    let turns: string[] = [];
    let left = 10;
    const run = createProjectDeletion(coffer, {
      rowStaysSeconds: 600,
      // Asked once a turn, when rows are gone.
      removeRoles: async (id) => {
        turns.push(id);
        return id === busy && left-- > 0 ? 'more' : 'done';
      },
    });
    let added: string | undefined;
    for (;;) {
      if ((await run(new AbortController().signal)) === 'done') break;
      if (left > 5 || added !== undefined) continue;
      added = await fillQuickly(one, user.userId);
      await mark(added);
    }
    const countTurns = (id: string | undefined) => turns.filter((turn) => turn === id).length;
    expect([countTurns(busy), ...waiting.map(countTurns)]).toEqual([11, 1, 1]);
    expect(turns.indexOf(added ?? '')).toBeLessThan(turns.lastIndexOf(busy));
    expect(await countLeft(one, added ?? '')).toMatchObject({ projects: 1 });

    turns = [];
    expect(await run(new AbortController().signal)).toBe('done');
    expect([turns.length, new Set(turns)]).toEqual([4, new Set([busy, added, ...waiting])]);
    await finishDeletion(one);
  });

  it('does no harm on several nodes at once', async () => {
    const [person] = await fillProject(one, 'shared work');
    await mark(person.projectId);
    const runs = [deletionJob(one), deletionJob(two), deletionJob(one), deletionJob(two)];
    for (let turn = 0; turn < 20; turn += 1) {
      await Promise.all(runs.map(async (run) => await run().catch(() => 'more')));
    }
    expect(await countLeft(one, person.projectId)).toEqual({});
  });

  it('takes rows that do not verify with it', async () => {
    const [person] = await fillProject(one, 'damaged');
    const { db } = one.installation;
    await db.query({
      text: `UPDATE secrets SET name = 'altered', id = gen_random_uuid() WHERE id =
        (SELECT id FROM secrets WHERE project_id = $1 LIMIT 1)`,
      values: [person.projectId],
    });
    await mark(person.projectId);
    await finishDeletion(one);
    expect(await countLeft(one, person.projectId)).toEqual({});
  });

  it('destroys the keys first: nothing opens on any server within 5 s, while rows are still there', async () => {
    const [person] = await fillProject(one, 'keys first');
    const reader = await one.person(['creator'], 'elsewhere');
    const list = (await person.client.get('/v1/secrets')).json.secrets;
    const path = new URL(list[0].secret_ref).pathname;
    await person.client.put(`${path}/acl`, { read: { users: [reader.userId] } });
    const asked = { headers: { 'x-auth-token': reader.token } };
    const readOn = async ({ stranger }: StartedCoffer) => await stranger.get(`${path}/payload`, asked);
    expect([(await readOn(one)).text, (await readOn(two)).text]).toEqual(['payload 0', 'payload 0']);
    await mark(person.projectId);
    // One batch on one server: the keys, and the rows of one table.
    expect(await deletionJob(one)()).toBe('more');
    expect(await countLeft(two, person.projectId)).toMatchObject({ role_assignments: 3, projects: 1 });
    expect((await countLeft(two, person.projectId))['keks']).toBeUndefined();
    for (const server of [one, two]) {
      await expect.poll(async () => (await readOn(server)).status, { timeout: 5_000 }).toBe(404);
    }
    await finishDeletion(one);
    expect(await countLeft(two, person.projectId)).toEqual({});
  });

  it('is not begun by the database: a mark without its seal destroys nothing', async () => {
    const [person] = await fillProject(one, 'framed');
    const before = await countLeft(one, person.projectId);
    const { db } = one.installation;
    const { projectId } = person;
    await db.query({ text: 'UPDATE projects SET deleted = now() WHERE id = $1', values: [projectId] });
    await finishDeletion(one);
    expect(await countLeft(one, projectId)).toEqual(before);
    await db.query({ text: 'UPDATE projects SET deleted = NULL WHERE id = $1', values: [projectId] });
    one.installation.keyring.forgetProject();
    await expect.poll(async () => await statusOn(one, person), { timeout: 6_000 }).toBe(200);
  });

  it('opens no row of it that was hidden elsewhere: its keys are gone', async () => {
    const [person] = await fillProject(one, 'hidden');
    const [thief] = await fillProject(one, 'thief');
    const { db } = one.installation;
    const { rows } = await db.query<{ id: string }>({
      text: `UPDATE secrets SET project_id = $2 WHERE project_id = $1 RETURNING id`,
      values: [person.projectId, thief.projectId],
    });
    await mark(person.projectId);
    await finishDeletion(one);
    for (const { id } of rows) {
      const reply = await thief.client.get(`/v1/secrets/${id}/payload`);
      expect([reply.status, reply.text]).toEqual([500, expect.stringContaining('Integrity Violation')]);
    }
    await db.query({
      text: 'UPDATE secrets SET project_id = $1 WHERE id = ANY ($2)',
      values: [person.projectId, rows.map(({ id }) => id)],
    });
    // As long as a server remembers the project it says that it is gone.
    expect([404, 500]).toContain((await thief.client.get(`/v1/secrets/${rows[0]!.id}/payload`)).status);
    await db.query({ text: 'DELETE FROM secrets WHERE project_id = $1', values: [person.projectId] });
  });

  it('waits for `coffer migrate --finish` while servers of the version before may run', async () => {
    const [person] = await fillProject(one, 'early');
    const { keyring } = one.installation;
    const { finishedMigration } = keyring;
    keyring.finishedMigration = 7;
    await expect(mark(person.projectId)).rejects.toMatchObject({ code: 'unavailable' });
    keyring.finishedMigration = finishedMigration;
    expect(await statusOn(one, person)).toBe(200);
  });
});
