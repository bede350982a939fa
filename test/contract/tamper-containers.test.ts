import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeAcl } from '../../src/acl/record.ts';
import { encodeSlots } from '../../src/containers/slots.ts';
import type { Db } from '../../src/db/open.ts';
import { attack, columnAttacks, copyRow, exchange, restore, tamperableColumns } from './tamper-sql.ts';
import { expectRefusal, readyForAttacks, type Stage, setStage } from './tamper-stage.ts';
import type { Reply } from './raw-http.ts';
import type { Person } from '../harness/start-coffer.ts';

const NEW_ID = '11111111-2222-4333-8444-555555555555';

let stage: Stage;
let db: Db;
let cases = 0;
/** Alice's two, and Bob's. */
let first: string;
let second: string;
let foreign: string;
beforeAll(async () => {
  stage = await setStage();
  first = await make(stage.alice, [stage.first.id]);
  second = await make(stage.alice, [stage.first.id, stage.second.id]);
  foreign = await make(stage.bob, [stage.foreign.id]);
  await readyForAttacks(stage);
  ({ db } = stage.coffer.installation);
});
afterEach(async () => await restore(db, ['containers', 'secrets']));
afterAll(async () => {
  console.log(`tampering with containers: ${cases} cases`);
  await stage.coffer.stop();
});

async function make({ client }: Person, secretIds: string[]): Promise<string> {
  const secret_refs = secretIds.map((secret_ref, index) => ({ name: `slot ${index}`, secret_ref }));
  const reply = await client.post('/v1/containers', { type: 'generic', name: 'box', secret_refs });
  expect(reply.status, reply.text).toBe(201);
  return String(reply.json.container_ref).slice(-36);
}
const read = async ({ client }: Person, id: string): Promise<Reply> =>
  await client.get(`/v1/containers/${id}`);
const secretsIn = (reply: Reply): string[] =>
  reply.json.secret_refs.map(({ secret_ref }: { secret_ref: string }) => secret_ref.slice(-36));
const listed = async ({ client }: Person): Promise<string[]> => {
  const reply = await client.get('/v1/containers?limit=100');
  expect(reply.status).toBe(200);
  return reply.json.containers.map(({ container_ref }: { container_ref: string }) =>
    container_ref.slice(-36),
  );
};

/** Does it, looks at what everybody is answered, and undoes it. */
async function expectHarmless(statements: readonly string[], victims: readonly string[]): Promise<void> {
  cases += 1;
  await attack(db, statements);
  const { alice, bob } = stage;
  for (const victim of victims) {
    for (const person of [alice, bob]) {
      expectRefusal(await read(person, victim), 403);
      expect(await listed(person)).not.toContain(victim);
    }
    const body = { name: 'more', secret_ref: stage.second.id };
    expectRefusal(await alice.client.post(`/v1/containers/${victim}/secrets`, body), 403);
    expectRefusal(await alice.client.delete(`/v1/containers/${victim}/secrets`, { body }), 403);
    expectRefusal(await alice.client.delete(`/v1/containers/${victim}`), 403);
  }
  for (const [person, id] of [
    [alice, first],
    [alice, second],
    [bob, foreign],
  ] as const) {
    if (!victims.includes(id)) expect((await read(person, id)).status).toBe(200);
  }
  expect((await alice.client.post('/v1/containers', { type: 'generic' })).status).toBe(201);
  await restore(db, ['containers']);
}

const toHex = (bytes: Uint8Array): string => `'\\x${Buffer.from(bytes).toString('hex')}'`;

describe('a container', () => {
  it('is as it was, before', async () => {
    const { alice, bob } = stage;
    expect(secretsIn(await read(alice, first))).toEqual([stage.first.id]);
    expect(secretsIn(await read(bob, foreign))).toEqual([stage.foreign.id]);
    expectRefusal(await read(bob, first), 403);
  });

  it('with any column changed, emptied or exchanged is refused, and harms no other', async () => {
    const attacks = await columnAttacks(db, 'containers', first, [second, foreign]);
    expect(attacks.length).toBeGreaterThan(tamperableColumns('containers').size);
    for (const { name, statements } of attacks) {
      const other = name.endsWith('row 2') ? second : foreign;
      try {
        await expectHarmless(statements, name.includes('exchanged') ? [first, other] : [first]);
      } catch (error) {
        throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
      }
    }
  });

  it('with the slots of another, or any others, is refused', async () => {
    const { id } = stage.first;
    for (const other of [second, foreign]) {
      for (const columns of [
        ['slots'],
        ['slots', 'seal'],
        ['slots', 'seal', 'epoch'],
        ['slots', 'acl', 'seal'],
      ]) {
        await expectHarmless([exchange('containers', columns, first, other)], [first, other]);
      }
    }
    for (const slots of [
      [],
      [{ name: 'slot 0', secretId: stage.second.id }],
      [{ name: 'slot 0', secretId: stage.foreign.id }],
      [{ name: 'private_key', secretId: id }],
      [{ name: null, secretId: id }],
      [
        { name: 'slot 0', secretId: id },
        { name: 'slot 1', secretId: stage.foreign.id },
      ],
    ]) {
      const text = `UPDATE containers SET slots = ${toHex(encodeSlots(slots))} WHERE id = '${first}'`;
      await expectHarmless([text], [first]);
    }
    for (const rubbish of ['', '00', 'ff'.repeat(40), '07000000ff']) {
      if (rubbish === '') continue;
      await expectHarmless([`UPDATE containers SET slots = '\\x${rubbish}' WHERE id = '${first}'`], [first]);
    }
  });

  it('with everything of another but its id is refused: same project, other project', async () => {
    const columns = [...tamperableColumns('containers').keys()].filter((name) => name !== 'id');
    for (const other of [second, foreign]) {
      await expectHarmless([exchange('containers', columns, first, other)], [first, other]);
    }
  });

  it('copied under a new id, or moved to another project, is refused', async () => {
    const project = `'${stage.bob.projectId}'`;
    await expectHarmless([copyRow('containers', first, { id: `'${NEW_ID}'` })], [NEW_ID]);
    const moved = { id: `'${NEW_ID}'`, project_id: project };
    await expectHarmless([copyRow('containers', first, moved)], [NEW_ID]);
    await expectHarmless([`UPDATE containers SET project_id = ${project} WHERE id = '${first}'`], [first]);
  });

  it('with a wider ACL or another creator is refused', async () => {
    const { bob, carol } = stage;
    const now = new Date();
    for (const users of [[bob.userId], [bob.userId, carol.userId], []]) {
      const acl = toHex(encodeAcl({ projectAccess: true, users, created: now, updated: now }));
      await expectHarmless([`UPDATE containers SET acl = ${acl} WHERE id = '${first}'`], [first]);
    }
    for (const creator of [`'${bob.userId}'`, `'${carol.userId}'`, 'NULL', `''`]) {
      await expectHarmless([`UPDATE containers SET creator_id = ${creator} WHERE id = '${first}'`], [first]);
    }
  });

  it('that is gone is gone', async () => {
    await expectHarmless([`DELETE FROM containers WHERE id = '${first}'`], [first]);
  });
});

describe('the slots of a container', () => {
  it('lose a secret whose row is taken away, and give none that is put in its place', async () => {
    const { alice } = stage;
    cases += 2;
    await attack(db, [`DELETE FROM secrets WHERE id = '${stage.first.id}'`]);
    expect(secretsIn(await read(alice, first))).toEqual([]);
    expect(secretsIn(await read(alice, second))).toEqual([stage.second.id]);
    await attack(db, [copyRow('secrets', stage.second.id, { id: `'${stage.first.id}'` })]);
    expect(secretsIn(await read(alice, first))).toEqual([stage.first.id]);
    expectRefusal(await alice.client.get(`/v1/secrets/${stage.first.id}/payload`));
    expectRefusal(await alice.client.get(`/v1/secrets/${stage.first.id}`));
  });

  it('take no secret whose row does not verify', async () => {
    const { alice } = stage;
    cases += 1;
    await attack(db, [
      `UPDATE secrets SET project_id = '${alice.projectId}' WHERE id = '${stage.foreign.id}'`,
    ]);
    const body = { type: 'generic', secret_refs: [{ name: 'x', secret_ref: stage.foreign.id }] };
    expectRefusal(await alice.client.post('/v1/containers', body));
    const slot = { name: 'x', secret_ref: stage.foreign.id };
    expectRefusal(await alice.client.post(`/v1/containers/${first}/secrets`, slot));
    expect(secretsIn(await read(alice, first))).toEqual([stage.first.id]);
  });
});
