import { createPrivateKey, hkdfSync } from 'node:crypto';
import { openPayload, unwrapKey } from '../../src/crypto/envelope.ts';
import type { Db } from '../../src/db/open.ts';
import {
  dekContext,
  integrityKeyContext,
  kekContext,
  type PayloadKind,
  payloadContext,
} from '../../src/keyring/contexts.ts';
import type { MasterKeys } from '../../src/keyring/master-keys.ts';
import type { CanaryValues } from './canary-values.ts';

interface KekRow {
  id: string;
  project_id: string;
  epoch: bigint;
  master_key_id: string;
  wrapped_kek: Buffer;
  wrapped_integrity_key: Buffer;
}

interface PayloadRow {
  id: string;
  project_id: string;
  epoch: bigint;
  dek: Buffer;
  payload_head: Buffer;
  payload_body: Buffer;
}

const PAYLOADS: Readonly<Record<PayloadKind, string>> = {
  secret: 'SELECT * FROM secrets WHERE dek IS NOT NULL',
  'signing-key': `SELECT *, 'system' AS project_id FROM signing_keys`,
  'order-passphrase': 'SELECT * FROM orders WHERE dek IS NOT NULL',
};

/** Every key of an installation, opened as the server opens it. */
export async function knowKeys(
  canaries: CanaryValues,
  db: Db,
  { installationId, keys }: MasterKeys,
): Promise<void> {
  for (const [id, key] of keys) canaries.know(`master key ${id}`, Buffer.from(key));
  const keks = new Map<string, { id: string; key: Uint8Array }>();
  for (const row of (await db.query<KekRow>({ text: 'SELECT * FROM keks' })).rows) {
    const { id, project_id: project, epoch } = row;
    const context = kekContext(installationId, project, id, epoch, row.master_key_id);
    const key = unwrapKey(keys.get(row.master_key_id)!, row.wrapped_kek, context);
    keks.set(`${epoch}/${project}`, { id, key });
    canaries.know(`KEK of ${project}`, Buffer.from(key));
    const inner = integrityKeyContext(installationId, project, id, epoch);
    canaries.know(
      `integrity key of ${project}`,
      Buffer.from(unwrapKey(key, row.wrapped_integrity_key, inner)),
    );
  }
  for (const [kind, statement] of Object.entries(PAYLOADS) as [PayloadKind, string][]) {
    for (const row of (await db.query<PayloadRow>({ text: statement })).rows) {
      const { id, project_id: project, epoch } = row;
      const kek = keks.get(`${epoch}/${project}`)!;
      const dek = unwrapKey(kek.key, row.dek, dekContext(installationId, kind, project, id, kek.id, epoch));
      canaries.know(`DEK of ${kind} ${id}`, Buffer.from(dek));
      const derived = hkdfSync('sha256', dek, '', 'coffer:payload-key-and-commitment', 64);
      // Its second half, the commitment, stands in the row.
      canaries.know(`payload key of ${kind} ${id}`, Buffer.from(derived).subarray(0, 32));
      if (kind === 'signing-key') {
        const sealed = { head: row.payload_head, body: row.payload_body };
        const der = openPayload(dek, sealed, payloadContext(installationId, kind, project, id));
        const key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
        canaries.know(`signing key ${id}`, Buffer.from(key.export({ format: 'jwk' }).d!, 'base64url'));
      }
    }
  }
}
