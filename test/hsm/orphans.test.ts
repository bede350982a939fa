import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCoffer } from '../cli/run-coffer.ts';
import { FAULTS, type FailingCalls, failCallsOf } from '../faults/failing-calls.ts';
import { startCoffer, type StartedCoffer, type Person } from '../harness/start-coffer.ts';
import { deletionJob, fillQuickly, finishDeletion } from '../projects/doomed-project.ts';
import { deleteProject } from '../../src/projects/deletion.ts';
import { createRotationJob } from '../../src/rotation/job.ts';
import { beginRotation } from '../../src/rotation/rotation.ts';
import { finishRotation, partsOf } from '../rotation/stage.ts';
import { type SoftHsm, startSoftHsm } from './soft-token.ts';

let hsm: SoftHsm;
let coffer: StartedCoffer;
let user: Person;
let calls: FailingCalls;

beforeAll(async () => {
  hsm = await startSoftHsm();
  const { pinFile } = await hsm.makeToken('coffer');
  const settings = { COFFER_PKCS11_MODULE: hsm.module, COFFER_PKCS11_PIN_FILE: pinFile };
  await runCoffer(['hsm', 'init'], { cwd: hsm.folder, stdin: '', env: settings });
  const env = {
    ...settings,
    COFFER_STORES: 'hsm=pkcs11',
    COFFER_PKCS11_MODE: 'strict',
    COFFER_WORKER: 'off',
  };
  coffer = await startCoffer({ env });
  user = await coffer.person(['creator'], 'kept');
  calls = failCallsOf(coffer.installation.db.pool);
});

afterAll(async () => {
  await coffer.stop();
  await hsm.remove();
});

const look = async () => (await coffer.installation.keyring.findOrphans(async () => {}))[0]!;

/** Destroys the objects without a row: only a COMMIT of which nobody knows whether it was done leaves one. */
async function clean(): Promise<void> {
  const { orphans, objects, unreadable } = await look();
  expect(unreadable).toEqual([]);
  expect(orphans.length).toBeLessThanOrEqual(calls.struckAt() === 'COMMIT' ? 1 : 0);
  for (const id of orphans) await objects.destroy(id);
}

async function countKeks(): Promise<number> {
  return (await coffer.installation.db.query({ text: 'SELECT FROM keks' })).rows.length;
}

async function expectNothingLost(): Promise<void> {
  const { there, orphans } = await look();
  expect([there, orphans]).toEqual([await countKeks(), []]);
}

const run = async (line: string) =>
  await runCoffer(line.split(' '), { cwd: hsm.folder, stdin: '', env: coffer.env });

describe('the objects of a token in strict mode', { timeout: 120_000 }, () => {
  it.for(FAULTS)(
    'are all found when the first write of a project is cut off: a call is %s',
    async (fault) => {
      for (let n = 1; ; n += 1) {
        const projectId = randomUUID();
        coffer.installation.keyring.forgetProject();
        calls.arm(fault, n);
        const outcome = await coffer.installation.keyring
          .useProject(projectId)
          .catch((error: Error) => error);
        calls.disarm();
        await clean();
        await expectNothingLost();
        expect(await coffer.installation.keyring.useProject(projectId)).toMatchObject({ active_epoch: 1n });
        if (!calls.hasStruck()) {
          expect(outcome).toMatchObject({ active_epoch: 1n });
          expect(n).toBeGreaterThan(5);
          break;
        }
      }
    },
  );

  it.for(FAULTS)('are all found when a rotation is cut off: a call is %s', async (fault) => {
    const projectId = await fillQuickly(coffer, user.userId);
    for (let n = 1; ; n += 1) {
      calls.arm(fault, n);
      const parts = partsOf(coffer);
      await beginRotation(parts, projectId)
        .then(async () => await finishRotation(parts, projectId))
        .catch((error: Error) => error);
      calls.disarm();
      await coffer.installation.db.query({ text: 'UPDATE kek_rotations SET leased_until = NULL' });
      expect(await finishRotation(partsOf(coffer), projectId)).toBe('done');
      await clean();
      await expectNothingLost();
      if (!calls.hasStruck()) break;
    }
  });

  it.for(FAULTS)('are gone when a deletion is cut off: a call is %s, and goes on', async (fault) => {
    for (let n = 1; ; n += 1) {
      const projectId = await fillQuickly(coffer, user.userId);
      await deleteProject(coffer.server.coffer, projectId);
      calls.arm(fault, n);
      await deletionJob(coffer)().catch((error: Error) => error);
      calls.disarm();
      await finishDeletion(coffer);
      await expectNothingLost();
      if (!calls.hasStruck()) break;
    }
  });

  it('are listed by a command, and destroyed by it once that is confirmed', async () => {
    const { objects } = await look();
    const project = await fillQuickly(coffer, user.userId);
    const before = new Set(await objects.list());
    // The row of a KEK that was never written, as far as the database can tell.
    const { rows } = await coffer.installation.db.query({
      text: 'DELETE FROM keks WHERE project_id = $1 RETURNING id',
      values: [project],
    });
    expect(rows).toHaveLength(1);
    const listed = await run('hsm orphans --settle 0 -o json');
    const [orphan, ...others] = JSON.parse(listed.stdout);
    expect([listed.code, others, orphan.store]).toEqual([0, [], 'hsm']);
    expect(before.has(orphan.object)).toBe(true);
    expect((await run('hsm orphans --settle 0 --destroy')).code).toBe(64);
    expect(await objects.list()).toContain(orphan.object);
    const destroyed = await run('hsm orphans --settle 0 --destroy --yes');
    const [record = '', said] = destroyed.stderr.split('\n');
    expect([destroyed.code, said]).toEqual([0, 'Destroyed 1 keys in the store hsm.']);
    expect(JSON.parse(record).audit).toMatchObject({
      action: 'keyring:destroy_orphan',
      subject: `hsm/${orphan.object}`,
    });
    expect(await objects.list()).not.toContain(orphan.object);
    await expectNothingLost();
  });

  it.for(['one byte', 'the store', 'the suite'])(
    'are none of them destroyed while a row does not open: one of them may be its own; altered is %s',
    async (what) => {
      await fillQuickly(coffer, user.userId);
      const { db } = coffer.installation;
      const { rows } = await db.query<{ id: string; store: string; wrapped_kek: Uint8Array }>({
        text: `SELECT id, store, wrapped_kek FROM keks WHERE project_id <> 'system' LIMIT 1`,
      });
      const [{ id, store, wrapped_kek: wrapped } = { id: '', store: '', wrapped_kek: Buffer.of() }] = rows;
      const altered = Buffer.from(wrapped);
      if (what === 'one byte') altered[20]! ^= 1;
      if (what === 'the suite') altered[0] = 0x04;
      const put = async (value: Uint8Array, name: string) =>
        await db.query({
          text: 'UPDATE keks SET wrapped_kek = $2, store = $3 WHERE id = $1',
          values: [id, value, name],
        });
      await put(altered, what === 'the store' ? 'renamed' : store);
      const listed = await run('hsm orphans --settle 0 -o json');
      const refused = await run('hsm orphans --settle 0 --destroy --yes');
      await put(wrapped, store);
      expect([listed.code, listed.stderr]).toEqual([0, expect.stringContaining(id)]);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(id)]);
      await expectNothingLost();
    },
  );

  it('are not taken for orphans while their row is being written', async () => {
    const { keyring } = coffer.installation;
    const projectId = randomUUID();
    const [found] = await keyring.findOrphans(async () => void (await keyring.useProject(projectId)));
    expect(found?.orphans).toEqual([]);
  });
});

describe('the KEKs of a token in strict mode', () => {
  it('count what they wrap, and are rotated by the worker once they have wrapped so often', async () => {
    const { db } = coffer.installation;
    const projectId = await fillQuickly(coffer, user.userId);
    const read = async () =>
      (
        await db.query<{ key_id: string; wraps: bigint; active: boolean }>({
          text: `SELECT key_id, wraps, keks.epoch = active_epoch AS active FROM wrap_counts
            JOIN keks ON keks.id::text = key_id JOIN projects ON projects.id = keks.project_id
            WHERE wrap_counts.project_id = $1 ORDER BY keks.epoch`,
          values: [projectId],
        })
      ).rows;
    const [before] = await read();
    expect(before?.wraps).toBe(256n);
    const parts = partsOf(coffer);
    await db.query({
      text: 'UPDATE wrap_counts SET wraps = $2 WHERE key_id = $1',
      values: [before?.key_id, 2n ** 30n],
    });
    const job = createRotationJob(parts, { kekMaxAgeSeconds: 0 });
    await job(new AbortController().signal);
    const after = await db.query<{ active_epoch: bigint }>({
      text: 'SELECT active_epoch FROM projects WHERE id = $1',
      values: [projectId],
    });
    expect(after.rows[0]?.active_epoch).toBe(2n);
    await db.query({ text: 'UPDATE kek_rotations SET leased_until = NULL' });
    expect(await finishRotation(parts, projectId)).toBe('done');
    const [left, ...others] = await read();
    expect([others, left?.active]).toEqual([[], true]);
    expect(left?.key_id).not.toBe(before?.key_id);
    // Once is enough.
    await job(new AbortController().signal);
    const { rows } = await db.query({
      text: 'SELECT FROM kek_rotations WHERE project_id = $1',
      values: [projectId],
    });
    expect(rows).toEqual([]);
    await expectNothingLost();
  });
});
