import type { Coffer } from '../../src/coffer.ts';
import { createProject, getRole } from '../../src/identity/administration.ts';
import { assignRole } from '../../src/identity/assignments.ts';
import { removeRolesIn } from '../../src/identity/project-roles.ts';
import type { Caller } from '../../src/policy/actor.ts';
import { createProjectDeletion } from '../../src/projects/deletion.ts';
import { createSecret } from '../../src/secrets/service.ts';
import type { Person, StartedCoffer } from '../harness/start-coffer.ts';

const text = (payload: string) => ({ payload, payload_content_type: 'text/plain' });

/** Two people with roles in a project, and a few of everything in it. */
export async function fillProject(coffer: StartedCoffer, name: string): Promise<[Person, Person]> {
  const people: [Person, Person] = [
    await coffer.person(['creator', 'admin'], name),
    await coffer.person(['observer'], name),
  ];
  const { client } = people[0];
  for (let turn = 0; turn < 3; turn += 1) {
    const { secret_ref } = (await client.post('/v1/secrets', text(`payload ${turn}`))).json;
    const user = { service: 'nova', resource_type: 'SERVER', resource_id: String(turn) };
    const secret_refs = [{ name: 'key', secret_ref }];
    const container = await client.post('/v1/containers', { type: 'generic', secret_refs });
    const meta = { algorithm: 'aes', bit_length: 256, mode: 'cbc' };
    const replies = [
      await client.put(`${secret_ref}/metadata`, { metadata: { turn: String(turn) } }),
      await client.put(`${secret_ref}/acl`, { read: { users: ['somebody'] } }),
      await client.post(`${secret_ref}/consumers`, user),
      container,
      await client.post(`${container.json.container_ref}/consumers`, { name: 'lb', URL: `u${turn}` }),
      await client.post('/v1/orders', { type: 'key', meta }),
    ];
    for (const { status, text: why } of replies) if (status > 202) throw new Error(why);
  }
  return people;
}

/** Somebody who was let in as a creator of a project before it was deleted. */
export function letIn(userId: string, projectId: string): Caller {
  return {
    requestId: 'req-test',
    actor: {
      userId,
      projectId,
      scope: 'project',
      scopeDomainId: null,
      roles: ['creator'],
      domainId: null,
      auditId: 'test',
      applicationCredentialId: null,
      accessRules: null,
    },
  };
}

export async function writeSecret(coffer: Coffer, caller: Caller): Promise<string> {
  return await createSecret(coffer, caller, async () => text('of somebody who was let in'));
}

/** A project as `fillProject` makes it, without a log-in: one user's role and a secret. */
export async function fillQuickly({ server: { coffer } }: StartedCoffer, userId: string): Promise<string> {
  const project = await createProject(coffer, `doomed-${crypto.randomUUID()}`);
  await assignRole(coffer, { id: userId }, project, await getRole(coffer, 'creator'));
  await writeSecret(coffer, letIn(userId, project.id));
  return project.id;
}

/** Rows of a project, by table, those that are none left out; its keys and its own row too. */
export async function countLeft(
  { installation: { db } }: StartedCoffer,
  projectId: string,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const count = async (table: string, where: string): Promise<void> => {
    const statement = { text: `SELECT count(*) AS n FROM ${table} WHERE ${where}`, values: [projectId] };
    const { rows } = await db.query<{ n: bigint }>(statement);
    if (rows[0]!.n > 0n) counts[table] = Number(rows[0]!.n);
  };
  const { rows: owned } = await db.query<{ name: string }>({
    text: `SELECT table_name AS name FROM information_schema.columns
      WHERE table_schema = 'public' AND column_name = 'project_id' ORDER BY 1`,
  });
  for (const { name } of owned) await count(name, 'project_id = $1');
  await count('role_assignments', 'scope_id = $1');
  await count('projects', 'id = $1');
  return counts;
}

/** The job as a server runs it; by default the project's row goes with the rest. */
export function deletionJob(
  { server: { coffer } }: StartedCoffer,
  rowStaysSeconds = -60,
): () => Promise<'more' | 'done'> {
  const removeRoles = async (projectId: string) => await removeRolesIn(coffer, projectId);
  const run = createProjectDeletion(coffer, { removeRoles, rowStaysSeconds });
  return async () => await run(new AbortController().signal);
}

/** Until nothing is left to do. */
export async function finishDeletion(coffer: StartedCoffer, rowStaysSeconds = -60): Promise<void> {
  const run = deletionJob(coffer, rowStaysSeconds);
  for (let turn = 0; turn < 500; turn += 1) if ((await run()) === 'done') return;
  throw new Error('the deletion does not end');
}
