import { encodeMessage, integer, text, uuid } from '../crypto/encoding.ts';
import { SUITES } from '../crypto/envelope.ts';

// The additional data of everything that is encrypted (FORMAT.md §1): what a ciphertext is, and whose. A
// ciphertext under another kind, project, owner, KEK, epoch or installation does not open.

/** What a payload is for. */
export type PayloadKind = 'secret' | 'signing-key' | 'order-passphrase';

/** Of a payload: no KEK in it, or a rotation would have to decrypt payloads. */
export function payloadContext(
  installationId: Uint8Array,
  kind: PayloadKind,
  projectId: string,
  ownerId: string,
): Uint8Array {
  const suite = integer(BigInt(SUITES.payload));
  return encodeMessage('payload', installationId, [text(kind), text(projectId), text(ownerId), suite]);
}

/** Of a wrapped DEK: its payload's, with the KEK and the epoch. */
export function dekContext(
  installationId: Uint8Array,
  kind: PayloadKind,
  projectId: string,
  ownerId: string,
  kekId: string,
  epoch: bigint,
): Uint8Array {
  const suite = integer(BigInt(SUITES.payload));
  const fields = [text(kind), text(projectId), text(ownerId), suite, uuid(kekId), integer(epoch)];
  return encodeMessage('dek', installationId, fields);
}

/** Of a wrapped KEK. */
export function kekContext(
  installationId: Uint8Array,
  projectId: string,
  kekId: string,
  epoch: bigint,
  masterKeyId: string,
): Uint8Array {
  const fields = [text(projectId), uuid(kekId), integer(epoch), text(masterKeyId)];
  return encodeMessage('kek', installationId, fields);
}

/** Of a wrapped integrity key. */
export function integrityKeyContext(
  installationId: Uint8Array,
  projectId: string,
  kekId: string,
  epoch: bigint,
): Uint8Array {
  return encodeMessage('integrity-key', installationId, [text(projectId), uuid(kekId), integer(epoch)]);
}
