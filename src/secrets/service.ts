import { randomUUID } from 'node:crypto';
import { aclTarget } from '../acl/record.ts';
import type { Caller } from '../policy/actor.ts';
import type { Coffer } from '../coffer.ts';
import { type ConsumerFields, secretConsumers } from '../consumers/record.ts';
import { findConsumers, removeAllConsumers } from '../consumers/service.ts';
import { wipe } from '../crypto/envelope.ts';
import type { Queryable } from '../db/open.ts';
import type { ProjectRow, SecretRow } from '../db/schema.ts';
import { deleteRow, insertRow, openRow, sealRow, updateRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { openListed, operate, requireProject } from '../operation.ts';
import type { Action } from '../policy/actions.ts';
import { can } from '../policy/can.ts';
import type { Target } from '../policy/target.ts';
import { writeWithinQuota } from '../quotas/enforce.ts';
import { hasEnded } from './expiration.ts';
import type { SecretFilter } from './list-filter.ts';
import { type Payload, type StoredType, type Upload, decodeUpload } from './payload.ts';
import { type FoundSecret, type Whose, findSecret, findSecretWithPayload, listSecrets } from './queries.ts';
import { type NewSecret, parseNewSecret } from './schema.ts';

type SecretId = string;

/**
 * Stores a secret, with or without its payload. `readBody` gives the parsed JSON once the right is
 * established.
 */
export async function createSecret(
  coffer: Coffer,
  caller: Caller,
  readBody: () => Promise<unknown>,
): Promise<SecretId> {
  return await operate(coffer, caller, {
    action: 'secrets:post',
    name: 'Secret creation',
    run: async () => {
      const { payloadBytesMax } = coffer.limits;
      const wanted = parseNewSecret(await readBody(), { now: coffer.clock.now(), payloadBytesMax });
      try {
        const project = await coffer.keyring.useProject(requireProject(caller));
        return await insertSecret(coffer, caller, project, wanted);
      } finally {
        if (wanted.payload !== null) wipe(wanted.payload);
      }
    },
  });
}

async function insertSecret(
  coffer: Coffer,
  caller: Caller,
  project: ProjectRow,
  wanted: NewSecret,
): Promise<SecretId> {
  const creatorId = caller.actor.userId === '' ? null : caller.actor.userId;
  const secret = await sealSecret(coffer, project, creatorId, wanted);
  await writeWithinQuota(coffer, project, 'secrets', 'Secret creation', async (tx) => {
    await insertSealedSecret(tx, project, secret);
  });
  return secret.row.id;
}

/** A secret that is sealed and not yet there. */
export interface SealedSecret {
  row: SecretRow;
  payloadBody: Uint8Array | null;
}

/** Seals a new secret under a project's active key, for a transaction of the caller's. */
export async function sealSecret(
  coffer: Pick<Coffer, 'keyring' | 'clock'>,
  project: ProjectRow,
  creatorId: string | null,
  wanted: NewSecret,
): Promise<SealedSecret> {
  const { keyring, clock } = coffer;
  const id = randomUUID();
  const sealed = wanted.payload && (await keyring.seal('secret', project, id, wanted.payload));
  const created = clock.now();
  const row = await sealRow(keyring, 'secrets', {
    id,
    project_id: project.id,
    creator_id: creatorId,
    name: wanted.name,
    secret_type: wanted.secretType,
    status: 'ACTIVE',
    algorithm: wanted.algorithm,
    bit_length: wanted.bitLength,
    mode: wanted.mode,
    expiration: wanted.expiration,
    content_type: wanted.contentType,
    user_metadata: null,
    acl: null,
    payload_head: sealed?.payload_head ?? null,
    dek: sealed?.dek ?? null,
    created,
    updated: created,
    revision: 1n,
    epoch: project.active_epoch,
  });
  return { row, payloadBody: sealed?.payload_body ?? null };
}

/** @throws StaleRow when the project is no longer the one that it was sealed for. */
export async function insertSealedSecret(
  tx: Queryable,
  project: ProjectRow,
  { row, payloadBody }: SealedSecret,
): Promise<void> {
  await insertRow(tx, 'secrets', row, {
    unsealed: { payload_body: payloadBody },
    resting: { table: 'projects', id: project.id, seal: project.seal },
  });
}

/** A secret's verified row, which is everything but its payload, and its consumers if they were asked for. */
export interface SecretView {
  secret: SecretRow;
  consumers: readonly ConsumerFields[] | null;
}

export async function getSecret(
  coffer: Coffer,
  caller: Caller,
  id: SecretId,
  withConsumers: boolean,
): Promise<SecretView> {
  return await operate<SecretView, SecretRow>(coffer, caller, {
    ...onSecret(coffer, id, 'secret:get', 'Secret retrieval'),
    run: async (secret) => (await viewSecrets(coffer, caller, [secret], withConsumers))[0] as SecretView,
  });
}

async function viewSecrets(
  coffer: Coffer,
  caller: Caller,
  secrets: readonly SecretRow[],
  withConsumers: boolean,
): Promise<SecretView[]> {
  if (!withConsumers) return secrets.map((secret) => ({ secret, consumers: null }));
  const consumers = await findConsumers(coffer, caller, secretConsumers, secrets);
  return secrets.map((secret) => ({ secret, consumers: consumers.get(secret.id) ?? [] }));
}

/** The payload and its stored content type. The caller owns the bytes and wipes them. */
export async function readPayload(
  coffer: Coffer,
  caller: Caller,
  id: SecretId,
  name: string,
): Promise<Payload> {
  return await operate(coffer, caller, {
    action: 'secret:decrypt',
    name,
    load: async () => await loadSecret(coffer, id, await findSecretWithPayload(coffer.db, id)),
    target: secretTarget,
    run: async ({ project_id, epoch, dek, payload_head, payload_body, content_type }) => {
      if (dek === null || payload_head === null || content_type === null) {
        throw new CofferError('not_found', 'Not Found. Sorry but your secret has no payload.');
      }
      if (payload_body === null) throw new CofferError('integrity_violation', 'Integrity Violation');
      const sealed = { epoch, dek, payload_head, payload_body };
      const payload = await coffer.keyring.open('secret', project_id, id, sealed);
      // The column is sealed: it holds what a writer of ours put there.
      return { contentType: content_type as StoredType, payload };
    },
  });
}

/** Whether the caller could read the payload. It is not a reading, and nothing is recorded. */
export function mayReadPayload(coffer: Coffer, { actor }: Caller, secret: SecretRow): boolean {
  return can(coffer.rules, 'secret:decrypt', actor, secretTarget(secret));
}

/** Gives a secret its payload, once. `readUpload` gives what was sent, once the right is established. */
export async function uploadPayload(
  coffer: Coffer,
  caller: Caller,
  id: SecretId,
  readUpload: () => Promise<Upload>,
): Promise<void> {
  await operate(coffer, caller, {
    ...onSecret(coffer, id, 'secret:put', 'Secret update'),
    run: async (secret) => {
      const upload = await readUpload();
      const { payloadBytesMax } = coffer.limits;
      const payload = decodeUpload(upload, { payloadBytesMax, hasPayload: secret.dek !== null });
      await writePayload(coffer, secret, payload);
    },
  });
}

async function writePayload(
  coffer: Coffer,
  secret: SecretRow,
  { contentType, payload }: Payload,
): Promise<void> {
  const { db, keyring, clock } = coffer;
  const { id, project_id, epoch } = secret;
  try {
    const { payload_body, ...columns } = await keyring.sealAt('secret', project_id, epoch, id, payload);
    const changes = { ...columns, content_type: contentType, updated: clock.now() };
    await updateRow(db, keyring, 'secrets', secret, changes, { payload_body });
  } finally {
    wipe(payload);
  }
}

/**
 * Deletes the row: key and ciphertext are gone, and its consumers with it. `readForce` runs once the right is
 * established, and says whether the secret goes even if it has any.
 */
export async function deleteSecret(
  coffer: Coffer,
  caller: Caller,
  id: SecretId,
  readForce: () => boolean,
): Promise<void> {
  await operate(coffer, caller, {
    ...onSecret(coffer, id, 'secret:delete', 'Secret deletion'),
    run: async (secret) => {
      const isForced = readForce();
      await coffer.db.transaction(async (tx) => {
        const consumers = await removeSecret(tx, secret);
        if (consumers === 0 || isForced) return;
        const reason = 'Secret cannot be deleted as it has consumers.';
        throw new CofferError('bad_request', `Secret deletion issue seen - ${reason}.`);
      });
    },
  });
}

/** Deletes the row that was read, then what hangs on it, and gives the number of its consumers. */
export async function removeSecret(tx: Queryable, secret: SecretRow): Promise<number> {
  await deleteRow(tx, 'secrets', secret);
  return await removeAllConsumers(tx, secretConsumers, secret.id);
}

/**
 * A page of the caller's project, or of any project what an ACL names the caller on. A row that does not
 * verify is left out, counted and logged; the rest is served.
 */
export async function listSecretsFor(
  coffer: Coffer,
  caller: Caller,
  readFilter: () => SecretFilter,
  page: { offset: number; limit: number },
  withConsumers: boolean,
): Promise<{ secrets: SecretView[]; total: number }> {
  return await operate(coffer, caller, {
    action: 'secrets:get',
    name: 'Secret(s) retrieval',
    run: async () => {
      const filter = readFilter();
      const whose = whoseSecrets(caller, filter);
      const { rows, total } = await listSecrets(coffer.db, whose, filter, page);
      const asked = 'projectId' in whose ? { project_id: whose.projectId } : {};
      const opened = await openListed(coffer, caller, 'secrets', asked, rows);
      const now = coffer.clock.now();
      const listed = opened.filter((secret) => !hasEnded(secret, now) && isListed(secret, whose));
      return { secrets: await viewSecrets(coffer, caller, listed, withConsumers), total };
    },
  });
}

function whoseSecrets(caller: Caller, { aclOnly }: SecretFilter): Whose {
  const projectId = requireProject(caller);
  return aclOnly ? { aclUserId: caller.actor.userId } : { projectId };
}

/** The index of ACLs is outside the seals, so the ACL itself has the word: nobody is named by nothing. */
function isListed(secret: SecretRow, whose: Whose): boolean {
  if ('projectId' in whose) return true;
  return whose.aclUserId !== '' && aclTarget(secret.acl).readUsers.includes(whose.aclUserId);
}

/** The part of an operation that every change of one secret has in common. */
export function onSecret(
  coffer: Coffer,
  id: SecretId,
  action: Action,
  name: string,
): {
  action: Action;
  name: string;
  load: () => Promise<SecretRow>;
  target: (secret: SecretRow) => Target & { id: string };
} {
  return {
    action,
    name,
    load: async () => await loadSecret(coffer, id, await findSecret(coffer.db, id)),
    target: secretTarget,
  };
}

/** The verified row of a secret that is there, whoever asks: what may be done with it is not judged here. */
export async function findLiveSecret(coffer: Coffer, id: SecretId): Promise<SecretRow | undefined> {
  try {
    return await loadSecret(coffer, id, await findSecret(coffer.db, id));
  } catch (error) {
    if (error instanceof CofferError && error.code === 'not_found') return undefined;
    throw error;
  }
}

/** Expired means that the database's or this server's clock says so: then the secret is not there. */
async function loadSecret<R extends FoundSecret>(
  coffer: Coffer,
  id: SecretId,
  row: R | undefined,
): Promise<R> {
  if (row === undefined) throw new CofferError('not_found', 'Secret not found.');
  await openRow(coffer.keyring, 'secrets', { id }, row);
  if (row.ended === true || hasEnded(row, coffer.clock.now())) {
    throw new CofferError('not_found', 'Secret not found.');
  }
  return row;
}

function secretTarget(secret: SecretRow): Target & { id: string } {
  return {
    id: secret.id,
    projectId: secret.project_id,
    creatorId: secret.creator_id,
    ...aclTarget(secret.acl),
  };
}
