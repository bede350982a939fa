// A process that owns a private PostgreSQL as a server does: `embedded-owner <data> [write]`. It says what it
// does, line by line.
import { startPrivatePostgres } from '../../src/db/embedded.ts';
import { claim } from '../../src/db/embedded-lock.ts';
import { openDatabase } from '../../src/db/open.ts';

const [, , dataDirectory = '', work = ''] = process.argv;
const say = (line: unknown): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

async function serve(): Promise<void> {
  const postgres = await startPrivatePostgres({ dataDirectory, log: (line) => say({ log: line }) });
  const ending = new AbortController();
  process.once('SIGTERM', () => {
    ending.abort();
    void postgres.stop();
  });
  say({ ready: postgres.pid, takenOver: postgres.takenOver, host: postgres.connection.host });
  if (work === 'write') {
    const db = openDatabase({ connection: { ...postgres.connection } });
    await db.query({ text: 'CREATE TABLE IF NOT EXISTS written (number bigserial PRIMARY KEY)' });
    while (!ending.signal.aborted) {
      // A write that fails was not acknowledged: the next one finds PostgreSQL back.
      await db
        .query<{ number: bigint }>({ text: 'INSERT INTO written DEFAULT VALUES RETURNING number' })
        .then(({ rows }) => say({ written: Number(rows[0]?.number) }))
        .catch(() => new Promise((resolve) => setTimeout(resolve, 5)));
    }
    await db.close();
  }
  await postgres.exited;
}

/** Claims the lock alone, when told to, and keeps it until the end. */
async function race(): Promise<void> {
  say({ ready: process.pid });
  await new Promise((resolve) => process.stdin.once('data', resolve));
  say({ held: claim(dataDirectory, 'server').held });
  await new Promise((resolve) => process.stdin.once('end', resolve).resume());
}

await (work === 'race' ? race() : serve()).catch((error: Error) => {
  say({ refused: error.message });
  process.exitCode = 78;
});
