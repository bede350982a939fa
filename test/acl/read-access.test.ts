import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeAcl } from '../../src/acl/record.ts';
import type { SecretRow } from '../../src/db/schema.ts';
import { openRow, updateRow } from '../../src/db/sealed.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let coffer: StartedCoffer;
let owner: Person;
let colleague: Person;
let guest: Person;

beforeAll(async () => {
  coffer = await startCoffer();
  owner = await coffer.person(['creator'], 'owners');
  colleague = await coffer.person(['observer'], 'owners');
  guest = await coffer.person(['audit'], 'guests');
});

afterAll(async () => await coffer.stop());

/** A secret whose row carries this ACL, as the route that writes ACLs will leave it. */
async function storeWith(projectAccess: boolean, users: string[]): Promise<string> {
  const stored = await owner.client.post('/v1/secrets', {
    payload: 'shared',
    payload_content_type: 'text/plain',
  });
  const id = String(stored.json.secret_ref).slice(-36);
  const { db, keyring } = coffer.installation;
  const { rows } = await db.query<SecretRow>({ text: 'SELECT * FROM secrets WHERE id = $1', values: [id] });
  const row = await openRow(keyring, 'secrets', { id }, rows[0]);
  const now = new Date();
  await updateRow(db, keyring, 'secrets', row, {
    acl: encodeAcl({ projectAccess, users, created: now, updated: now }),
  });
  return `/v1/secrets/${id}`;
}

const read = async (person: Person, path: string) => (await person.client.get(`${path}/payload`)).status;

it('lets a user of another project read what an ACL names them for, and nobody else of that project', async () => {
  const other = await coffer.person(['admin'], 'guests');
  const path = await storeWith(true, [guest.userId]);
  expect([await read(guest, path), await read(other, path)]).toEqual([200, 403]);
});

it('keeps a private secret from colleagues who only read, and leaves it to its creator and the ACL', async () => {
  const path = await storeWith(false, []);
  expect([await read(owner, path), await read(colleague, path)]).toEqual([200, 403]);
  expect(await read(colleague, await storeWith(false, [colleague.userId]))).toBe(200);
});

it('refuses an ACL that a database widened', async () => {
  const path = await storeWith(false, []);
  const now = new Date();
  const acl = Buffer.from(
    encodeAcl({ projectAccess: true, users: [guest.userId], created: now, updated: now }),
  );
  await coffer.installation.db.query({
    text: 'UPDATE secrets SET acl = $2 WHERE id = $1',
    values: [path.slice(-36), acl],
  });
  const reply = await guest.client.get(path);
  expect([reply.status, reply.json.title]).toEqual([500, 'Integrity Violation']);
});
