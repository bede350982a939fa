import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeRolesIn } from '../../src/identity/project-roles.ts';
import { shredProject, type Shredding } from '../../src/projects/shredding.ts';
import { FAULTS, failCallsOf } from '../faults/failing-calls.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { countLeft, fillProject, fillQuickly } from './doomed-project.ts';

let coffer: StartedCoffer;
let user: Person;

beforeAll(async () => {
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  user = await coffer.person(['observer']);
});

afterAll(async () => await coffer.stop());

async function shred(
  projectId: string,
  {
    signal = new AbortController().signal,
    seen = [] as [number, number][],
    ...watch
  }: { signal?: AbortSignal; seen?: [number, number][]; mark?: () => Promise<void> } = {},
): Promise<Shredding> {
  const parts = {
    ...coffer.server.coffer,
    log: pino({ level: 'silent' }),
    removeRoles: async (id: string) => await removeRolesIn(coffer.server.coffer, id),
  };
  const onProgress = (done: number, total: number): void => void seen.push([done, total]);
  return await shredProject(parts, projectId, { signal, onProgress, ...watch });
}

async function listKekRows(projectId: string): Promise<unknown[]> {
  const text = 'SELECT FROM keks WHERE project_id = $1';
  return (await coffer.installation.db.query({ text, values: [projectId] })).rows;
}

describe('the shredding of a project', () => {
  it('leaves its empty row alone, says how far it is, and which master key opens older copies', async () => {
    const [person] = await fillProject(coffer, 'shop');
    const seen: [number, number][] = [];
    const shredding = await shred(person.projectId, { seen });
    expect(shredding).toEqual({
      outcome: 'done',
      rows: 15,
      keks: 1,
      masterKeys: [{ store: 'software', masterKeyId: 'mk-test' }],
      unreached: [],
      unproven: [],
    });
    expect(seen[0]).toEqual([0, 15]);
    expect(seen.at(-1)).toEqual([15, 15]);
    expect(await countLeft(coffer, person.projectId)).toEqual({ projects: 1 });
    expect((await person.client.get('/v1/secrets')).status).toBe(401);
  });

  it('that is told to stop has nothing open any more, and is taken up again', async () => {
    const projectId = await fillQuickly(coffer, user.userId);
    const stop = new AbortController();
    stop.abort();
    expect(await shred(projectId, { signal: stop.signal })).toMatchObject({ outcome: undefined });
    const lent = coffer.installation.keyring.withRowsKey(projectId, 1n, () => 'lent');
    await expect(lent).rejects.toMatchObject({ code: 'not_found' });
    expect(await shred(projectId)).toMatchObject({ outcome: 'done', keks: 1 });
    expect(await countLeft(coffer, projectId)).toEqual({ projects: 1 });
    expect(await shred(projectId)).toMatchObject({ outcome: 'done', keks: 0, rows: 0 });
  });

  it('is not said to be done where the database does not keep the mark: the keys are still there', async () => {
    const projectId = await fillQuickly(coffer, user.userId);
    await expect(shred(projectId, { mark: async () => {} })).rejects.toMatchObject({
      code: 'integrity_violation',
      message: expect.stringContaining('still there'),
    });
    expect(await listKekRows(projectId)).toHaveLength(1);
  });

  it('names the stores in which objects of its keys are left, for they are not named here', async () => {
    const projectId = await fillQuickly(coffer, user.userId);
    await coffer.installation.db.query({
      text: `UPDATE keks SET store = 'elsewhere', wrapped_kek = '\\x05' WHERE project_id = $1`,
      values: [projectId],
    });
    expect(await shred(projectId)).toMatchObject({
      outcome: 'done',
      masterKeys: [],
      unreached: ['elsewhere'],
    });
  });

  it('is refused for the system and for what is not there', async () => {
    await expect(shred('system')).rejects.toMatchObject({ code: 'not_found' });
    await expect(shred('of nobody')).rejects.toMatchObject({ code: 'not_found' });
  });

  it.each(FAULTS)(
    'is completed by the second, whichever call to the database was %s; no row goes before the keys',
    async (fault) => {
      const calls = failCallsOf(coffer.installation.db.pool);
      let n = 1;
      for (; ; n += 1) {
        const projectId = await fillQuickly(coffer, user.userId);
        const before = await countLeft(coffer, projectId);
        calls.arm(fault, n);
        const first = await shred(projectId).catch((error: Error) => error);
        calls.disarm();
        if ((await listKekRows(projectId)).length > 0) {
          expect(await countLeft(coffer, projectId), `call ${n}`).toEqual(before);
        }
        expect(await shred(projectId), `call ${n}`).toMatchObject({ outcome: 'done' });
        expect(await countLeft(coffer, projectId), `call ${n}`).toEqual({ projects: 1 });
        if (!calls.hasStruck()) {
          expect(first).toMatchObject({ outcome: 'done' });
          break;
        }
      }
      expect(n).toBeGreaterThan(15);
    },
  );
});
