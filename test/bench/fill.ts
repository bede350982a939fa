import { randomUUID } from 'node:crypto';
import { LAYOUTS, sealedColumns } from '../../src/db/layouts.ts';
import type { SecretRow } from '../../src/db/schema.ts';
import { sealRow } from '../../src/db/sealed.ts';
import type { Installation } from '../../src/installation.ts';

const BATCH = 1_000;

/**
 * Stores secrets as the server would, genuinely sealed and with payloads, many in one statement: `count` of
 * them in a project, named in rotation, each a second younger than the one before.
 */
export async function fillProject(
  { db, keyring }: Installation,
  { projectId, count, names }: { projectId: string; count: number; names: readonly string[] },
): Promise<void> {
  const project = await keyring.useProject(projectId);
  const payload = Buffer.alloc(32, 'x');
  const start = Date.now() - count * 1_000;
  for (let first = 0; first < count; first += BATCH) {
    const indexes = Array.from({ length: Math.min(BATCH, count - first) }, (_, index) => first + index);
    const rows = await Promise.all(
      indexes.map(async (index) => {
        const id = randomUUID();
        const { payload_body, ...envelope } = await keyring.seal('secret', project, id, payload);
        const created = new Date(start + index * 1_000);
        const sealed: SecretRow = await sealRow(keyring, 'secrets', {
          id,
          project_id: projectId,
          creator_id: 'bench',
          name: names[index % names.length] ?? null,
          secret_type: 'opaque',
          status: 'ACTIVE',
          algorithm: 'aes',
          bit_length: 256n,
          mode: 'cbc',
          expiration: null,
          content_type: 'text/plain',
          user_metadata: null,
          acl: null,
          ...envelope,
          created,
          updated: created,
          revision: 1n,
        });
        return { ...sealed, payload_body };
      }),
    );
    await insertAll(db, rows);
  }
  await db.query({ text: 'VACUUM ANALYZE secrets' });
}

async function insertAll(db: Installation['db'], rows: readonly object[]): Promise<void> {
  const types = new Map<string, string>(LAYOUTS.secrets.flatMap(({ columns }) => columns));
  const names = [...sealedColumns('secrets'), 'payload_body'];
  const arrays = names.map((name, index) => `$${index + 1}::${types.get(name) ?? 'bytea'}[]`);
  const values = names.map((name) => rows.map((row) => (row as Record<string, unknown>)[name] ?? null));
  const text = `INSERT INTO secrets (${names.join(', ')}) SELECT * FROM unnest(${arrays.join(', ')})`;
  await db.query({ text, values });
}
