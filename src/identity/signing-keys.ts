import { createPrivateKey, createPublicKey } from 'node:crypto';
import { recordSigningKey } from '../audit/record.ts';
import type { Coffer } from '../coffer.ts';
import { wipe } from '../crypto/envelope.ts';
import { SYSTEM_PROJECT } from '../db/layouts.ts';
import type { RevisionMemory } from '../db/revisions.ts';
import { openRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { coalesced } from './coalesced.ts';
import { openJwt } from './jwt.ts';
import { type FoundSigningKey, listSigningKeys } from './queries.ts';
import { rotateSigningKey } from './signing-key-rotation.ts';
import type { SigningKey } from './tokens.ts';

type Parts = Pick<Coffer, 'db' | 'keyring' | 'clock' | 'integrityViolations' | 'log'>;

export interface SigningKeys {
  /** Signs new tokens. @throws CofferError `unavailable` while there is none. */
  current(): SigningKey;
  /** @throws CofferError `unavailable` when the keys could not be read for 10 s: one may be retired. */
  find(id: string): SigningKey | undefined;
  /** Those that verify, those to come too. */
  all(): readonly SigningKey[];
  /** Reads the keys again and makes one when the youngest nears its end. */
  refresh(): Promise<void>;
  /** The same for whoever shows a token of an unknown key: at most once a second. */
  refreshFor(id: string): Promise<void>;
}

const DAY_MS = 24 * 60 * 60_000;
const RENEW_BEFORE_MS = 30 * DAY_MS;
const STALE_AFTER_MS = 10_000;
const REFRESH_MIN_MS = 1_000;

/** As it was when its row was last verified. */
interface Verified {
  key: SigningKey;
  seal: Uint8Array;
}

/**
 * Ed25519 keys, each with its end written at birth; the private part is an envelope under the system's KEK.
 * One that a rotation retires verifies until the last token that it signed has ended.
 */
export async function openSigningKeys(parts: Parts, memory: RevisionMemory): Promise<SigningKeys> {
  const known = new Map<string, Verified>();
  let readAt = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  const { openIfGenuine, isRefused } = createOpening(parts, memory);
  const read = async (): Promise<void> => {
    const started = performance.now();
    for (const row of await listSigningKeys(parts.db)) {
      if (isSame(known.get(row.id)?.seal, row.seal)) continue;
      const verified = await openIfGenuine(row);
      if (verified === undefined) continue;
      known.set(row.id, verified);
      recordSigningKey(parts.log, verified.key);
    }
    // Nothing but its own genuine row ends a key sooner: none that is missing or broken.
    const past = parts.clock.now().getTime() - DAY_MS;
    for (const [id, { key }] of known) if (key.notAfter.getTime() < past) known.delete(id);
    readAt = started;
  };
  const keys = (): SigningKey[] => [...known.values()].map(({ key }) => key);
  const refresh = coalesced(async () => {
    await read();
    const soon = parts.clock.now().getTime() + RENEW_BEFORE_MS;
    if (keys().some(({ notAfter }) => notAfter.getTime() > soon)) return;
    // One that another server just made is not known here yet; one that was refused is of no use.
    const isDue = (rows: readonly FoundSigningKey[]): boolean =>
      rows.every((row) => row.not_after.getTime() <= soon || isRefused(row));
    await rotateSigningKey(parts, { isDue });
    await read();
  });
  await refresh();

  return {
    current: () => chooseKey(keys(), parts.clock.now()),
    find: (id) => {
      if (performance.now() - readAt > STALE_AFTER_MS) {
        throw new CofferError('unavailable', 'The signing keys are not current; try again.');
      }
      return known.get(id)?.key;
    },
    all: () => keys().filter(({ notAfter }) => notAfter > parts.clock.now()),
    refresh,
    refreshFor: async (id) => {
      if (known.has(id) || performance.now() - askedAt < REFRESH_MIN_MS) return;
      askedAt = performance.now();
      await refresh();
    },
  };
}

/** A forged or damaged key, or an older row put back, takes no right from the others; it is counted once. */
function createOpening(parts: Parts, memory: RevisionMemory) {
  const refused = new Map<string, Uint8Array>();
  const isRefused = (row: FoundSigningKey): boolean => isSame(refused.get(row.id), row.seal);
  const openIfGenuine = async (row: FoundSigningKey): Promise<Verified | undefined> => {
    if (isRefused(row)) return undefined;
    try {
      const key = await openKey(parts, row);
      memory.check('signing_keys', row);
      return { key, seal: row.seal };
    } catch (error) {
      if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
      parts.integrityViolations.count('signing_keys', 'none');
      refused.set(row.id, row.seal);
      return undefined;
    }
  };
  return { openIfGenuine, isRefused };
}

/** The youngest of those in use; before the first is, the one that is next. */
function chooseKey(keys: readonly SigningKey[], now: Date): SigningKey {
  const living = keys.filter(({ notAfter }) => notAfter > now);
  const begun = living.filter(({ notBefore }) => notBefore <= now);
  const [key] = begun.sort((a, b) => b.notBefore.getTime() - a.notBefore.getTime());
  const [next] = living.sort((a, b) => a.notBefore.getTime() - b.notBefore.getTime());
  if (key !== undefined) return key;
  if (next === undefined) throw new CofferError('unavailable', 'There is no signing key; try again.');
  return next;
}

/** What a tampered row holds may be of any type. */
function isSame(one: unknown, other: unknown): boolean {
  return one instanceof Uint8Array && other instanceof Uint8Array && Buffer.compare(one, other) === 0;
}

async function openKey({ keyring }: Pick<Parts, 'keyring'>, row: FoundSigningKey): Promise<SigningKey> {
  await openRow(keyring, 'signing_keys', { algorithm: 'EdDSA' }, row);
  const der = await keyring.open('signing-key', SYSTEM_PROJECT, row.id, row);
  try {
    const privateKey = createPrivateKey({
      key: Buffer.from(der.buffer, der.byteOffset, der.byteLength),
      type: 'pkcs8',
      format: 'der',
    });
    const publicKeyPem = createPublicKey({ key: Buffer.from(row.public_key), type: 'spki', format: 'der' })
      .export({ type: 'spki', format: 'pem' })
      .toString();
    return {
      id: row.id,
      // The plugin takes texts alone; the bytes that they came of are wiped.
      jwt: await openJwt(
        row.id,
        privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        publicKeyPem,
      ),
      publicKeyPem,
      notBefore: row.not_before,
      notAfter: row.not_after,
    };
  } finally {
    wipe(der);
  }
}
