import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAYOUTS, SYSTEM_PROJECT } from '../../src/db/layouts.ts';
import type { SecretRow } from '../../src/db/schema.ts';
import { insertRow, sealRow } from '../../src/db/sealed.ts';
import { ENVELOPES } from '../../src/keyring/envelopes.ts';
import { countRowsBelow, tablesOf } from '../../src/rotation/queries.ts';
import { createRotationJob } from '../../src/rotation/job.ts';
import { beginRotation } from '../../src/rotation/rotation.ts';
import type { CofferError } from '../../src/errors.ts';
import { BACKEND_FAULTS } from '../faults/failing-backend.ts';
import { FAULTS, failCallsOf } from '../faults/failing-calls.ts';
import { rounds } from '../harness/rounds.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { startRotator } from './rotator.ts';
import { fillProject, finishRotation, type Kept, partsOf, readAll } from './stage.ts';

let coffer: StartedCoffer;
let person: Person;
let kept: Kept[];

beforeAll(async () => {
  // The worker's own rotations would end those of the tests before they are looked at.
  coffer = await startCoffer({ env: { COFFER_WORKER: 'off' } });
  person = await coffer.person(['admin', 'creator'], 'rotated');
  kept = await fillProject(person, 20);
});

afterAll(async () => await coffer.stop());

async function snapshot(projectId: string): Promise<Record<string, unknown>[]> {
  const { rows } = await coffer.installation.db.query({
    text: 'SELECT id, revision, updated, payload_head, payload_body FROM secrets WHERE project_id = $1 ORDER BY id',
    values: [projectId],
  });
  return rows;
}

async function epochs(projectId: string): Promise<bigint[]> {
  const { rows } = await coffer.installation.db.query<{ epoch: bigint }>({
    text: 'SELECT epoch FROM keks WHERE project_id = $1 ORDER BY epoch',
    values: [projectId],
  });
  return rows.map(({ epoch }) => epoch);
}

const payloads = (): string[] => kept.map(({ payload }) => payload);

describe('the rotation of a KEK', () => {
  it('moves every row to the new one, decrypts no payload, and destroys the old one', async () => {
    const before = await snapshot(person.projectId);
    const { active_epoch: active } = await beginRotation(partsOf(coffer), person.projectId);
    expect(await countRowsBelow(coffer.installation.db, person.projectId, active)).toBeGreaterThan(20);
    expect(await finishRotation(partsOf(coffer), person.projectId)).toBe('done');
    expect(await countRowsBelow(coffer.installation.db, person.projectId, active)).toBe(0);
    expect(await epochs(person.projectId)).toEqual([active]);
    expect(await snapshot(person.projectId)).toEqual(before);
    expect(await readAll(person, kept)).toEqual(payloads());
  });

  it('goes no further than was begun, whatever the row that nobody seals asks for', async () => {
    const { db, keyring } = coffer.installation;
    const { projectId } = await coffer.person(['creator'], 'empty');
    await keyring.useProject(projectId);
    const { active_epoch: active } = await beginRotation(partsOf(coffer), projectId);
    await db.query({
      text: 'UPDATE kek_rotations SET below = 1000 WHERE project_id = $1',
      values: [projectId],
    });
    expect(await finishRotation(partsOf(coffer), projectId)).toBe('done');
    expect(await epochs(projectId)).toEqual([active]);
    expect(await keyring.useProject(projectId)).toMatchObject({ active_epoch: active, least_epoch: active });
  });

  it('asks for another master key while the one in use has encrypted often, and of no other', async () => {
    const { db } = coffer.installation;
    const insert = `INSERT INTO wrap_counts (kind, store, key_id, wraps) VALUES ('master-key', 'software', $1, 1 << 30)`;
    for (const id of ['mk-test', 'mk-replaced']) await db.query({ text: insert, values: [id] });
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    await createRotationJob(
      { ...partsOf(coffer), log },
      { kekMaxAgeSeconds: 0 },
    )(new AbortController().signal);
    await db.query({ text: 'DELETE FROM wrap_counts' });
    expect(lines.filter((line) => line.includes('rotate it to another one'))).toEqual([
      expect.stringContaining('mk-test'),
    ]);
  });

  it('of the system itself leaves users, tokens and roles as they were', async () => {
    await beginRotation(partsOf(coffer), SYSTEM_PROJECT);
    expect(await finishRotation(partsOf(coffer), SYSTEM_PROJECT)).toBe('done');
    expect(await epochs(SYSTEM_PROJECT)).toHaveLength(1);
    expect((await person.client.get('/v1/secrets')).status).toBe(200);
    const token = await coffer.logIn(person.name, person.password, 'rotated');
    expect(token).not.toBe('');
    await coffer.person(['creator'], 'made-after');
  });

  it('is blocked by a row that does not verify, says so, and keeps the key that it may need', async () => {
    const other = await coffer.person(['creator'], 'damaged');
    const [one, two] = await fillProject(other, 2);
    const id = one?.path.slice(-36);
    await coffer.installation.db.query({
      text: `UPDATE secrets SET name = 'forged' WHERE id = $1`,
      values: [id],
    });
    const damaged: string[] = [];
    await beginRotation(partsOf(coffer), other.projectId);
    expect(await finishRotation(partsOf(coffer, damaged), other.projectId)).toBe('blocked');
    expect(damaged).toContain('secrets');
    expect(await epochs(other.projectId)).toHaveLength(2);
    expect(await readAll(other, [two as Kept])).toEqual([two?.payload]);
  });

  it('keeps the key of a row that is written after the last one was counted', async () => {
    const { db, keyring } = coffer.installation;
    const text = 'SELECT * FROM secrets WHERE project_id = $1 AND dek IS NULL LIMIT 1';
    const { rows } = await db.query<SecretRow>({ text, values: [person.projectId] });
    const { acl_users: _, payload_body: __, ...row } = rows[0] as SecretRow & Record<string, unknown>;
    const late = await sealRow(keyring, 'secrets', { ...row, id: randomUUID() });
    await beginRotation(partsOf(coffer), person.projectId);
    let isWritten = false;
    const transaction: typeof db.transaction = async (use) => {
      if (!isWritten) await insertRow(db, 'secrets', late);
      isWritten = true;
      return await db.transaction(use);
    };
    const parts = { ...partsOf(coffer), db: { ...db, transaction } };
    expect(await finishRotation(parts, person.projectId)).toBe('done');
    expect(isWritten).toBe(true);
    expect((await person.client.get(`/v1/secrets/${late.id}`)).status).toBe(200);
  });

  it('twice at once ends with one KEK, however they interleave', async () => {
    for (let round = 0; round < rounds(100); round += 1) {
      const begun = await Promise.all(
        [0, 1].map(async () => await beginRotation(partsOf(coffer), person.projectId)),
      );
      await Promise.all(begun.map(async () => await finishRotation(partsOf(coffer), person.projectId)));
      expect(await finishRotation(partsOf(coffer), person.projectId)).toBe('done');
      expect(await epochs(person.projectId)).toHaveLength(1);
    }
    expect(await readAll(person, kept)).toEqual(payloads());
  });

  it.for(FAULTS)('completes at the second attempt wherever a call to the database is %s', async (fault) => {
    const calls = failCallsOf(coffer.installation.db.pool);
    for (let n = 1; ; n += 1) {
      calls.arm(fault, n);
      const parts = partsOf(coffer);
      const first = await beginRotation(parts, person.projectId)
        .then(async () => await finishRotation(parts, person.projectId))
        .catch((error: Error) => error);
      calls.disarm();
      if (!calls.hasStruck()) {
        expect(first).toBe('done');
        expect(n).toBeGreaterThan(20);
        break;
      }
      // The lease of the one that was cut off would run for half a minute.
      await coffer.installation.db.query({ text: 'UPDATE kek_rotations SET leased_until = NULL' });
      expect(await finishRotation(partsOf(coffer), person.projectId), `call ${n}`).toBe('done');
      expect(await readAll(person, kept)).toEqual(payloads());
    }
    expect(await epochs(person.projectId)).toHaveLength(1);
  });
});

describe('a rotation whose backend fails', () => {
  it.for(BACKEND_FAULTS)(
    'completes at the second attempt wherever a call is %s',
    { timeout: 600_000 },
    async (fault) => {
      const { projectId } = person;
      const rotator = await startRotator(coffer, { restSeconds: 0 });
      const { backends } = rotator;
      for (let n = 1; ; n += 1) {
        rotator.parts.keyring.forgetKeys(projectId);
        backends.arm(fault, n);
        const first = await rotator.rotate(projectId).then(
          () => 'done',
          (error: unknown) => (error as CofferError).code,
        );
        backends.disarm();
        if (!backends.hasStruck()) {
          expect(first).toBe('done');
          expect(n).toBeGreaterThan(40);
          break;
        }
        expect(['done', 'unavailable'], `call ${n}`).toContain(first);
        // The lease of the one that failed would run for half a minute.
        await coffer.installation.db.query({ text: 'UPDATE kek_rotations SET leased_until = NULL' });
        await rotator.rotate(projectId);
        expect(await epochs(projectId)).toHaveLength(1);
        expect(await readAll(person, kept)).toEqual(payloads());
      }
      await rotator.close();
    },
  );
});

describe('the tables of a rotation', () => {
  it('are all sealed ones, each of a project or of the system', () => {
    const named = [...tablesOf('some project'), ...tablesOf(SYSTEM_PROJECT), 'keks'];
    expect(named.sort()).toEqual(Object.keys(LAYOUTS).sort());
  });

  it('have a kind of payload where they have a DEK', () => {
    const withDek = Object.entries(LAYOUTS).filter(([, layouts]) =>
      layouts.some(({ columns }) => columns.some(([name]) => name === 'dek')),
    );
    expect(withDek.map(([table]) => table).sort()).toEqual(Object.keys(ENVELOPES).sort());
  });
});
