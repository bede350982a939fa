import { createPrivateKey, createPublicKey, generateKeyPair, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import type { Coffer } from '../coffer.ts';
import { wipe } from '../crypto/envelope.ts';
import { SYSTEM_PROJECT } from '../db/layouts.ts';
import { insertRow, openRow, sealRow } from '../db/sealed.ts';
import { CofferError } from '../errors.ts';
import { openJwt } from './jwt.ts';
import { type FoundSigningKey, listSigningKeys } from './queries.ts';
import type { SigningKey } from './tokens.ts';

type Parts = Pick<Coffer, 'db' | 'keyring' | 'clock' | 'integrityViolations'>;

export interface SigningKeys {
  /** Signs new tokens. @throws CofferError `unavailable` while there is none. */
  current(): SigningKey;
  find(id: string): SigningKey | undefined;
  all(): readonly SigningKey[];
  /** Reads the keys again and makes one when the youngest nears its end. At most once a second. */
  refresh(): Promise<void>;
}

const DAY_MS = 24 * 60 * 60_000;
const LIFE_MS = 90 * DAY_MS;
const RENEW_BEFORE_MS = 30 * DAY_MS;
const REFRESH_MIN_MS = 1_000;

/**
 * Ed25519 keys, each with its end written at birth; the private part is an envelope under the system's KEK.
 */
export async function openSigningKeys(parts: Parts): Promise<SigningKeys> {
  let keys = new Map<string, SigningKey>();
  let last = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  const read = async (): Promise<void> => {
    const rows = await listSigningKeys(parts.db);
    const next = new Map<string, SigningKey>();
    for (const row of rows) {
      const key = keys.get(row.id) ?? (await openGenuineKey(parts, row));
      if (key !== undefined) next.set(row.id, key);
    }
    keys = next;
  };
  const renew = async (): Promise<void> => {
    await read();
    const soon = parts.clock.now().getTime() + RENEW_BEFORE_MS;
    if ([...keys.values()].some((key) => key.notAfter.getTime() > soon)) return;
    await makeKey(parts);
    await read();
  };
  await renew();

  return {
    current: () => {
      const youngest = [...keys.values()].reduce<SigningKey | undefined>(
        (best, key) => (best === undefined || key.notAfter > best.notAfter ? key : best),
        undefined,
      );
      if (youngest === undefined) throw new CofferError('unavailable', 'There is no signing key; try again.');
      return youngest;
    },
    find: (id) => keys.get(id),
    all: () => [...keys.values()],
    refresh: async () => {
      if (reading === undefined && performance.now() - last < REFRESH_MIN_MS) return;
      last = performance.now();
      reading ??= renew().finally(() => {
        reading = undefined;
      });
      await reading;
    },
  };
}

async function makeKey({ db, keyring, clock }: Parts): Promise<void> {
  const id = randomUUID();
  const pair = await promisify(generateKeyPair)('ed25519');
  const der = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
  try {
    const system = await keyring.findProject(SYSTEM_PROJECT);
    if (system === undefined) throw new CofferError('integrity_violation', 'Integrity Violation');
    const { payload_body, ...columns } = await keyring.seal('signing-key', system, id, der);
    const now = clock.now();
    const row = await sealRow(keyring, 'signing_keys', {
      id,
      algorithm: 'EdDSA',
      public_key: pair.publicKey.export({ type: 'spki', format: 'der' }),
      ...columns,
      not_before: now,
      not_after: new Date(now.getTime() + LIFE_MS),
      created: now,
      updated: now,
      revision: 1n,
    });
    await insertRow(db, 'signing_keys', row, { unsealed: { payload_body } });
  } finally {
    wipe(der);
  }
}

/** A forged or damaged key is left out and counted: it takes no right from the others. */
async function openGenuineKey(parts: Parts, row: FoundSigningKey): Promise<SigningKey | undefined> {
  try {
    return await openKey(parts, row);
  } catch (error) {
    if (!(error instanceof CofferError && error.code === 'integrity_violation')) throw error;
    parts.integrityViolations.count('signing_keys', 'none');
    return undefined;
  }
}

async function openKey({ keyring }: Parts, row: FoundSigningKey): Promise<SigningKey> {
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
