import { randomBytes } from 'node:crypto';
import type { Coffer } from '../coffer.ts';
import { wipe } from '../crypto/envelope.ts';
import type { Queryable } from '../db/open.ts';
import { insertContainer, sealContainer } from '../containers/service.ts';
import { type NewRow, sealRow, swapRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { insertSealedSecret, sealSecret } from '../secrets/service.ts';
import { type OrderRefusal, type PairPlan, planOrder } from './generation.ts';
import { type KeyPair, makeKeyPair } from './key-pairs.ts';
import { endLease, type Lease } from './lease-queries.ts';
import type { OrderWithPassphrase } from './queries.ts';
import { type OrderType, readMeta } from './schema.ts';

type GeneratedType = 'symmetric' | 'private' | 'public' | 'passphrase';

/** The lease is another worker's by now, or the order is gone: whatever was made is dropped. */
export class LostLease extends Error {}

/** What was made for an order, in clear, until it is sealed. */
export type Material = { kind: 'key'; key: Uint8Array } | ({ kind: 'pair' } & PairMaterial);

interface PairMaterial extends KeyPair {
  container: PairPlan['container'];
  passphrase: Uint8Array | null;
}

export function wipeMaterial(material: Material): void {
  if (material.kind === 'key') {
    wipe(material.key);
    return;
  }
  wipe(material.privateKey, material.publicKey);
  if (material.passphrase !== null) wipe(material.passphrase);
}

/** The caller wipes what it gets. @throws OrderRefusal for what cannot be made. */
export async function generate(
  { keyring }: Coffer,
  order: OrderWithPassphrase,
  signal: AbortSignal,
): Promise<Material> {
  const type = order.type as OrderType;
  const plan = planOrder(type, readMeta(type, order.meta));
  if (plan.kind === 'key') return { kind: 'key', key: randomBytes(plan.bytes) };
  const passphrase = await openPassphrase(keyring, order);
  try {
    const pair = await makeKeyPair(plan, passphrase, signal);
    return { kind: 'pair', ...pair, container: plan.container, passphrase };
  } catch (error) {
    if (passphrase !== null) wipe(passphrase);
    throw error;
  }
}

async function openPassphrase(
  keyring: Coffer['keyring'],
  { id, project_id, epoch, dek, payload_head, payload_body }: OrderWithPassphrase,
): Promise<Uint8Array | null> {
  if (dek === null || payload_head === null) return null;
  if (payload_body === null) throw new CofferError('integrity_violation', 'Integrity Violation');
  const sealed = { epoch, dek, payload_head, payload_body };
  return await keyring.open('order-passphrase', project_id, id, sealed);
}

/** Writes the result, the order and the end of the lease, or none of them. */
export async function finishWell(
  coffer: Coffer,
  lease: Lease,
  order: OrderWithPassphrase,
  material: Material,
): Promise<void> {
  const wanted = readMeta(order.type as OrderType, order.meta);
  const project = await coffer.keyring.useProject(order.project_id);
  const seal = async (secretType: GeneratedType, payload: Uint8Array, contentType = wanted.contentType) =>
    await sealSecret(coffer, project, order.creator_id, { ...wanted, secretType, payload, contentType });
  if (material.kind === 'key') {
    const secret = await seal('symmetric', material.key);
    await finish(coffer, lease, order, { status: 'ACTIVE', secret_id: secret.row.id }, async (tx) => {
      await insertSealedSecret(tx, project, secret);
    });
    return;
  }
  const { privateKey, publicKey, passphrase } = material;
  const secrets = new Map([
    ['private_key', await seal('private', privateKey)],
    ['public_key', await seal('public', publicKey)],
  ]);
  if (passphrase !== null) {
    secrets.set('private_key_passphrase', await seal('passphrase', passphrase, 'text/plain'));
  }
  const container = await sealContainer(coffer, project, {
    type: material.container,
    name: wanted.name,
    creatorId: order.creator_id,
    slots: [...secrets].map(([name, { row }]) => ({ name, secretId: row.id })),
  });
  await finish(coffer, lease, order, { status: 'ACTIVE', container_id: container.id }, async (tx) => {
    for (const secret of secrets.values()) await insertSealedSecret(tx, project, secret);
    await insertContainer(tx, project, container);
  });
}

export async function finishInError(
  coffer: Coffer,
  lease: Lease,
  order: OrderWithPassphrase,
  { statusCode, message }: OrderRefusal,
): Promise<void> {
  const changes = { status: 'ERROR', error_status_code: statusCode, error_reason: message.slice(0, 255) };
  await finish(coffer, lease, order, changes, async () => {});
}

/** The passphrase goes with the end: its secret has it now, or nothing needs it. */
async function finish(
  { db, keyring, clock }: Coffer,
  lease: Lease,
  order: OrderWithPassphrase,
  changes: Partial<NewRow<'orders'>>,
  insertResult: (tx: Queryable) => Promise<void>,
): Promise<void> {
  const { payload_body: _passphrase, ...row } = order;
  const next = await sealRow(keyring, 'orders', {
    ...row,
    ...changes,
    dek: null,
    payload_head: null,
    updated: clock.now(),
    revision: order.revision + 1n,
  });
  await db.transaction(async (tx) => {
    await insertResult(tx);
    await swapRow(tx, 'orders', order, next, { payload_body: null });
    if (!(await endLease(tx, lease))) throw new LostLease();
  });
}
