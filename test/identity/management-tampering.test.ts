import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

const V3 = '/identity/v3';
let coffer: StartedCoffer;
let admin: Person;
let victim: Person;

beforeAll(async () => {
  coffer = await startCoffer();
  admin = await coffer.person(['admin'], 'offices');
});
afterAll(async () => await coffer.stop());
beforeEach(async () => {
  victim = await coffer.person(['member'], 'demo');
});

const sql = async (text: string, values: unknown[] = []) =>
  await coffer.installation.db.query({ text, values });
const roleId = async (name: string): Promise<string> =>
  (await admin.client.get(`${V3}/roles?name=${name}`)).json.roles[0].id as string;
const patch = async (userId: string, user: object): Promise<number> =>
  (await admin.client.send('PATCH', `${V3}/users/${userId}`, { body: { user } })).status;

describe('whoever writes the database', () => {
  it('gets no altered user shown, changed or listed, and the others are', async () => {
    await sql("UPDATE users SET description = 'altered' WHERE id = $1", [victim.userId]);
    expect((await admin.client.get(`${V3}/users/${victim.userId}`)).status).toBe(500);
    expect(await patch(victim.userId, { email: 'x' })).toBe(500);
    const { users } = (await admin.client.get(`${V3}/users`)).json as { users: { id: string }[] };
    const ids = users.map(({ id }) => id);
    expect([ids.includes(victim.userId), ids.includes(admin.userId)]).toEqual([false, true]);
  });

  it('gets no role of its own making listed, nor sealed with the next one that is given', async () => {
    await sql(
      `INSERT INTO role_assignments SELECT gen_random_uuid(), $1, scope_kind, scope_id, role_id, created, updated,
        revision, epoch, seal FROM role_assignments WHERE user_id = $2 LIMIT 1`,
      [victim.userId, admin.userId],
    );
    const list = await admin.client.get(`${V3}/role_assignments?user.id=${victim.userId}`);
    expect([list.status, list.json.role_assignments]).toEqual([200, []]);
    const grant = `${V3}/projects/${victim.projectId}/users/${victim.userId}/roles/${await roleId('reader')}`;
    expect((await admin.client.put(grant)).status).toBe(500);
  });

  it('gets no older row of a user sealed as the newest, with a role that was taken', async () => {
    const grant = `${V3}/projects/${victim.projectId}/users/${victim.userId}/roles/${await roleId('creator')}`;
    expect((await admin.client.put(grant)).status).toBe(204);
    expect((await admin.client.get(`${V3}/users/${victim.userId}`)).status).toBe(200);
    await sql('CREATE TABLE old_users AS SELECT * FROM users WHERE id = $1', [victim.userId]);
    await sql('CREATE TABLE old_roles AS SELECT * FROM role_assignments WHERE user_id = $1', [victim.userId]);
    expect((await admin.client.delete(grant)).status).toBe(204);
    expect((await admin.client.get(`${V3}/users/${victim.userId}`)).status).toBe(200);
    await sql('DELETE FROM users WHERE id = $1', [victim.userId]);
    await sql('DELETE FROM role_assignments WHERE user_id = $1', [victim.userId]);
    await sql('INSERT INTO users SELECT * FROM old_users');
    await sql('INSERT INTO role_assignments SELECT * FROM old_roles');
    expect(await patch(victim.userId, { email: 'x' })).toBe(500);
    expect((await admin.client.get(`${V3}/users/${victim.userId}`)).status).toBe(500);
    await sql('DROP TABLE old_users, old_roles');
  });

  it('cannot put its own tags into a project', async () => {
    const made = await admin.client.post(`${V3}/projects`, { project: { name: 'tagged' } });
    const { id } = made.json.project as { id: string };
    const path = `${V3}/projects/${id}`;
    expect((await admin.client.put(`${path}/tags`, { tags: ['genuine'] })).status).toBe(200);
    await sql("UPDATE projects SET extra = extra || '\\x00' WHERE id = $1", [id]);
    expect((await admin.client.get(path)).status).toBe(500);
    await sql('UPDATE projects SET extra = NULL WHERE id = $1', [id]);
    expect((await admin.client.get(path)).status).toBe(500);
  });

  it('cannot make a custom role into a built-in one', async () => {
    const { id } = (await admin.client.post(`${V3}/roles`, { role: { name: 'harmless' } })).json.role as {
      id: string;
    };
    await sql("UPDATE roles SET name = 'admin2', name_key = 'admin2' WHERE id = $1", [id]);
    expect((await admin.client.get(`${V3}/roles/${id}`)).status).toBe(500);
    const grant = `${V3}/projects/${admin.projectId}/users/${admin.userId}/roles/${id}`;
    expect((await admin.client.put(grant)).status).toBe(500);
  });
});
