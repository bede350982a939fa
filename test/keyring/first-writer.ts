/**
 * One of two servers that write a project's first secrets at once: run as a process by
 * `first-writers.test.ts`.
 */
import { openDatabase } from '../../src/db/open.ts';
import { createTestKeyring } from './test-keyring.ts';

const { connection, projects, writers } = JSON.parse(process.argv[2] ?? '') as {
  connection: Parameters<typeof openDatabase>[0]['connection'];
  projects: string[];
  writers: number;
};
const db = openDatabase({ connection });
const keyring = createTestKeyring(db);
await keyring.findProject('system');
process.stdout.write('ready\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
const written = await Promise.all(
  projects.flatMap((projectId) =>
    Array.from({ length: writers }, async (_, index) => {
      const project = await keyring.useProject(projectId);
      const ownerId = `${process.pid}-${index}`;
      const sealed = await keyring.seal('secret', project, ownerId, Buffer.from(`payload ${ownerId}`));
      const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
      return {
        projectId,
        ownerId,
        epoch: String(sealed.epoch),
        dek: hex(sealed.dek),
        head: hex(sealed.payload_head),
        body: hex(sealed.payload_body),
      };
    }),
  ),
);
process.stdout.write(`${JSON.stringify(written)}\n`);
keyring.close();
await db.close();
process.exit(0);
