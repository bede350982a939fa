import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeAcl } from '../../src/acl/record.ts';
import type { Db } from '../../src/db/open.ts';
import { attack, columnAttacks, copyRow, exchange, restore, tamperableColumns } from './tamper-sql.ts';
import {
  PLAINTEXT,
  type Stage,
  expectPayload,
  expectRefusal,
  readPayload,
  readyForAttacks,
  setStage,
} from './tamper-stage.ts';

const NEW_ID = '11111111-2222-4333-8444-555555555555';

let stage: Stage;
let db: Db;
let cases = 0;
beforeAll(async () => {
  stage = await readyForAttacks(await setStage());
  ({ db } = stage.coffer.installation);
});
afterEach(async () => await restore(db, ['secrets', 'projects']));
afterAll(async () => {
  console.log(`tampering with secrets: ${cases} cases`);
  await stage.coffer.stop();
});

const metadataOf = async (id: string) => await stage.alice.client.get(`/v1/secrets/${id}`);
const listed = async (person = stage.alice): Promise<string[]> => {
  const reply = await person.client.get('/v1/secrets?limit=100');
  expect(reply.status).toBe(200);
  return (reply.json.secrets as { secret_ref: string }[]).map(
    ({ secret_ref }) => secret_ref.split('/').at(-1)!,
  );
};

/** Does it, looks at what everybody is answered, and undoes it. */
async function expectHarmless(
  statements: readonly string[],
  victims: readonly string[],
  { bodyOnly = false } = {},
): Promise<void> {
  cases += 1;
  await attack(db, statements);
  const { alice, bob, first, second, foreign } = stage;
  for (const victim of victims) {
    for (const person of [alice, bob]) expectRefusal(await readPayload(person, victim), 403);
    if (!bodyOnly) {
      expectRefusal(await metadataOf(victim));
      expectRefusal(await alice.client.get(`/v1/secrets/${victim}/metadata`));
      expectRefusal(await alice.client.delete(`/v1/secrets/${victim}`));
      for (const person of [alice, bob]) expect(await listed(person)).not.toContain(victim);
    }
  }
  for (const [person, secret] of [
    [alice, first],
    [alice, second],
    [bob, foreign],
  ] as const) {
    if (!victims.includes(secret.id)) await expectPayload(person, secret);
  }
  expect((await alice.client.post('/v1/secrets', { name: 'life goes on' })).status).toBe(201);
  await restore(db, ['secrets']);
}

describe('a secret', () => {
  it('is as it was, before', async () => {
    await expectPayload(stage.alice, stage.first);
    await expectPayload(stage.bob, stage.foreign);
    expectRefusal(await readPayload(stage.bob, stage.first.id), 403);
    expectRefusal(await readPayload(stage.carol, stage.first.id), 403);
  });

  it('with any column changed, emptied or exchanged is refused, and harms no other', async () => {
    const { first, second, foreign } = stage;
    const attacks = await columnAttacks(db, 'secrets', first.id, [second.id, foreign.id]);
    expect(attacks.length).toBeGreaterThan((3 * tamperableColumns('secrets').size) / 2);
    for (const { name, statements } of attacks) {
      const other = name.endsWith('row 2') ? second.id : foreign.id;
      // An id exchanged is a row exchanged; a body exchanged leaves the metadata, which is genuine.
      const victims = name.includes('exchanged') ? [first.id, other] : [first.id];
      try {
        await expectHarmless(statements, victims, { bodyOnly: name.startsWith('payload_body') });
      } catch (error) {
        throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
      }
    }
  });

  const ENVELOPE = ['payload_head', 'payload_body', 'dek'];
  it.each([
    ['ciphertext', ['payload_head', 'payload_body']],
    ['wrapped DEK', ['dek']],
    ['envelope', ENVELOPE],
    ['envelope and seal', [...ENVELOPE, 'seal']],
    ['envelope, seal and epoch', [...ENVELOPE, 'seal', 'epoch']],
    ['everything but the id', [...tamperableColumns('secrets').keys()].filter((name) => name !== 'id')],
    [
      'everything but the id and the project',
      [...tamperableColumns('secrets').keys()].filter((name) => !['id', 'project_id'].includes(name)),
    ],
  ])('with the %s of another is refused: same project, other project', async (_, columns) => {
    const { first, second, foreign } = stage;
    for (const other of [second.id, foreign.id]) {
      await expectHarmless([exchange('secrets', columns, first.id, other)], [first.id, other]);
    }
  });

  it('copied under a new id is refused there, here and in another project', async () => {
    const { first, second, bob, foreign } = stage;
    const project = `'${bob.projectId}'`;
    await expectHarmless([copyRow('secrets', first.id, { id: `'${NEW_ID}'` })], [NEW_ID]);
    await expectHarmless(
      [copyRow('secrets', first.id, { id: `'${NEW_ID}'`, project_id: project })],
      [NEW_ID],
    );
    await expectHarmless(
      [
        `DELETE FROM secrets WHERE id = '${second.id}'`,
        copyRow('secrets', first.id, { id: `'${second.id}'` }),
      ],
      [second.id],
    );
    await expectHarmless(
      [
        `DELETE FROM secrets WHERE id = '${foreign.id}'`,
        copyRow('secrets', first.id, { id: `'${foreign.id}'` }),
      ],
      [foreign.id],
    );
  });

  it('moved to another project is refused to both', async () => {
    const { first, bob } = stage;
    const move = `UPDATE secrets SET project_id = '${bob.projectId}' WHERE id = '${first.id}'`;
    await expectHarmless([move], [first.id]);
    await expectHarmless([`UPDATE secrets SET project_id = 'system' WHERE id = '${first.id}'`], [first.id]);
    await expectHarmless(
      [`UPDATE secrets SET project_id = 'never seen' WHERE id = '${first.id}'`],
      [first.id],
    );
  });

  it('with a wider ACL, another creator or another end is refused', async () => {
    const { first, bob, carol } = stage;
    const now = new Date();
    const at = `WHERE id = '${first.id}'`;
    for (const users of [[bob.userId], [bob.userId, carol.userId], []]) {
      const acl = Buffer.from(encodeAcl({ projectAccess: true, users, created: now, updated: now })).toString(
        'hex',
      );
      await expectHarmless([`UPDATE secrets SET acl = '\\x${acl}' ${at}`], [first.id]);
    }
    for (const creator of [`'${bob.userId}'`, `'${carol.userId}'`, 'NULL', `''`]) {
      await expectHarmless([`UPDATE secrets SET creator_id = ${creator} ${at}`], [first.id]);
    }
    for (const end of [
      'NULL',
      `'2199-01-01'`,
      `now() + interval '1 hour'`,
      `'infinity'`,
      `now() - interval '1 hour'`,
    ]) {
      await expectHarmless([`UPDATE secrets SET expiration = ${end} ${at}`], [first.id]);
    }
  });

  it('that ended is not brought back by another end', async () => {
    const { first } = stage;
    await expectHarmless(
      [`UPDATE secrets SET expiration = now() - interval '1 day' WHERE id = '${first.id}'`],
      [first.id],
    );
  });

  it('that is gone is gone', async () => {
    await expectHarmless([`DELETE FROM secrets WHERE id = '${stage.first.id}'`], [stage.first.id]);
  });

  it('twice in the table is refused, or served as it is', async () => {
    const { first, alice } = stage;
    cases += 1;
    await attack(db, [copyRow('secrets', first.id, { name: `'other'` })]);
    const reply = await readPayload(alice, first.id);
    if (reply.status !== 200) expectRefusal(reply);
    else expect(reply.text).toBe(first.payload);
  });
});

describe('the table of secrets', () => {
  const hide = 'ALTER TABLE secrets RENAME TO hidden';
  const show = async (): Promise<void> => {
    const { rows } = await db.query({ text: `SELECT to_regclass('hidden') IS NOT NULL AS hidden` });
    if (rows[0]?.hidden !== true) return;
    await attack(db, ['DROP VIEW IF EXISTS secrets', 'ALTER TABLE hidden RENAME TO secrets']);
  };
  afterEach(show);
  const renamed = (name: string, value: string): string =>
    [...tamperableColumns('secrets').keys()]
      .map((each) => (each === name ? `${value} AS ${name}` : `h.${each}`))
      .join(', ');

  it('as a view that answers another’s genuine row for each id is refused', async () => {
    const { alice, bob, first, second, foreign } = stage;
    const views = [
      // Foreign's row whatever is asked for, under the id that was asked for.
      `SELECT ${renamed('id', 'k.id')} FROM hidden h, kept.secrets k WHERE h.id = '${foreign.id}'`,
      // Each id has the row of the next one.
      `SELECT ${renamed('id', 'k.id')} FROM hidden h, kept.secrets k WHERE h.id <> k.id`,
      // The right id and project around another row.
      `SELECT ${renamed('id', 'k.id').replace('h.project_id', 'k.project_id')} FROM hidden h, kept.secrets k WHERE h.id <> k.id`,
    ];
    for (const view of views) {
      cases += 1;
      await attack(db, [hide, `CREATE VIEW secrets AS ${view}`]);
      for (const person of [alice, bob]) {
        for (const { id } of [first, second]) expectRefusal(await readPayload(person, id), 403);
      }
      expectRefusal(await metadataOf(first.id));
      expect(await listed()).toEqual([]);
      await show();
      await expectPayload(alice, first);
    }
  });

  it('as a view that gives a list another project’s genuine rows leaves them out', async () => {
    const { alice, foreign, first, second } = stage;
    cases += 1;
    const project = alice.projectId;
    await attack(db, [
      hide,
      `CREATE VIEW secrets AS SELECT ${renamed('project_id', `'${project}'::text COLLATE "C"`)} FROM hidden h`,
    ]);
    expect(await listed()).not.toContain(foreign.id);
    expectRefusal(await readPayload(alice, foreign.id), 403);
    await expectPayload(alice, first);
    await expectPayload(alice, second);
    await show();
  });

  it('as a view with values of other types is refused', async () => {
    const { alice, first } = stage;
    const wrong: Record<string, string> = {
      id: 'h.id',
      expiration: 'h.expiration::text',
      seal: 'h.seal::text',
      payload_head: 'h.payload_head::text',
      dek: 'h.dek::text',
      epoch: 'h.epoch::text',
      revision: 'h.revision::numeric',
      user_metadata: 'h.user_metadata::text',
    };
    for (const [name, value] of Object.entries(wrong)) {
      cases += 1;
      await attack(db, [hide, `CREATE VIEW secrets AS SELECT ${renamed(name, value)} FROM hidden h`]);
      const reply = await readPayload(alice, first.id);
      // PostgreSQL itself refuses to compare some of them, which is a failure like any other.
      expect([name, reply.status]).toEqual([name, name === 'id' ? 200 : 500]);
      if (name !== 'id') expect(reply.text).not.toMatch(PLAINTEXT);
      await show();
    }
  });

  it('with a column added, or with a trigger, serves what it served', async () => {
    const { alice, bob, first, foreign } = stage;
    cases += 2;
    await attack(db, [`ALTER TABLE secrets ADD COLUMN read_by text DEFAULT 'everybody'`]);
    await expectPayload(alice, first);
    await expectPayload(bob, foreign);
    expectRefusal(await readPayload(bob, first.id), 403);
    const stored = await alice.client.post('/v1/secrets', {
      name: 'x',
      payload: 'y',
      payload_content_type: 'text/plain',
    });
    expect(stored.status).toBe(201);
    await attack(db, [
      'ALTER TABLE secrets DROP COLUMN read_by',
      `CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.creator_id := '${bob.userId}'; RETURN NEW; END $$`,
      'CREATE TRIGGER steal BEFORE INSERT OR UPDATE ON secrets FOR EACH ROW EXECUTE FUNCTION steal()',
    ]);
    const taken = await alice.client.post('/v1/secrets', {
      name: 'x',
      payload: 'y',
      payload_content_type: 'text/plain',
    });
    expect(taken.status).toBe(201);
    expectRefusal(await alice.client.get(new URL(taken.json.secret_ref as string).pathname));
    await attack(db, ['DROP TRIGGER steal ON secrets', 'DROP FUNCTION steal']);
  });

  it('with an older genuine row put back serves that: only an audit of the ledger finds it', async () => {
    const { alice, first } = stage;
    cases += 1;
    const changed = await alice.client.put(`/v1/secrets/${first.id}/metadata`, {
      metadata: { purpose: 'newer' },
    });
    expect(changed.status).toBe(201);
    await restore(db, ['secrets']);
    const reply = await alice.client.get(`/v1/secrets/${first.id}/metadata`);
    expect([reply.status, reply.json]).toEqual([200, { metadata: { purpose: 'test' } }]);
  });
});
