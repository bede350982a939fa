import type { KeyObject } from 'node:crypto';
import { isChain, isQuickKey, readCertificates } from '../crypto/certificates.ts';
import { isPair, type KeyProblem, openPrivateKey, openPublicKey } from '../crypto/key-pair.ts';

/** `unchecked` says what kept the check from telling. */
export type Verdict = { kind: 'match' } | { kind: 'mismatch' | 'unchecked'; reason: string };

const MATCH: Verdict = { kind: 'match' };
const mismatch = (reason: string): Verdict => ({ kind: 'mismatch', reason });
const unchecked = (reason: string): Verdict => ({ kind: 'unchecked', reason });

const PART_BYTES_MAX = 65_536;
const INTERMEDIATES_MAX = 10;

/**
 * Whether the payloads in the slots of an `rsa` or `certificate` container belong together. A slot without a
 * payload is not looked at. Borrows the payloads.
 */
export async function checkParts(type: string, parts: ReadonlyMap<string, Uint8Array>): Promise<Verdict> {
  if ([...parts.values()].some(({ length }) => length > PART_BYTES_MAX)) {
    return unchecked('a part is longer than keys and certificates are');
  }
  const key = await openKey(parts);
  const verdicts =
    type === 'rsa' ? [checkPublicKey(parts, key)] : await checkCertificate(parts, key.privateKey);
  const all = [key.verdict, ...verdicts];
  return all.find(({ kind }) => kind === 'mismatch') ?? all.find(({ kind }) => kind === 'unchecked') ?? MATCH;
}

interface OpenedKey {
  privateKey: KeyObject | undefined;
  verdict: Verdict;
}

const KEY_VERDICTS: Readonly<Record<KeyProblem, Verdict>> = {
  malformed: mismatch('the private key is no private key'),
  'wrong passphrase': mismatch('the passphrase does not open the private key'),
  locked: unchecked('the private key is encrypted and there is no passphrase'),
  unsupported: unchecked('the private key is of a kind, or encrypted in a way, that is not checked'),
};

async function openKey(parts: ReadonlyMap<string, Uint8Array>): Promise<OpenedKey> {
  const encoded = parts.get('private_key');
  if (encoded === undefined) return { privateKey: undefined, verdict: MATCH };
  const opened = await openPrivateKey(encoded, parts.get('private_key_passphrase'));
  if (typeof opened === 'string') return { privateKey: undefined, verdict: KEY_VERDICTS[opened] };
  return { privateKey: opened, verdict: MATCH };
}

function checkPublicKey(parts: ReadonlyMap<string, Uint8Array>, { privateKey }: OpenedKey): Verdict {
  const encoded = parts.get('public_key');
  if (encoded === undefined) return MATCH;
  const publicKey = openPublicKey(encoded);
  if (publicKey === 'malformed') return mismatch('the public key is no public key');
  if (publicKey === 'unsupported') return unchecked('the public key is of a kind that is not checked');
  if (privateKey === undefined || isPair(privateKey, publicKey)) return MATCH;
  return mismatch('the private key does not belong to the public key');
}

async function checkCertificate(
  parts: ReadonlyMap<string, Uint8Array>,
  privateKey: KeyObject | undefined,
): Promise<Verdict[]> {
  const encoded = parts.get('certificate');
  const bundle = parts.get('intermediates');
  const certificate = encoded && readCertificates(encoded)?.[0];
  const intermediates = bundle && readCertificates(bundle);
  const verdicts: Verdict[] = [];
  if (encoded !== undefined && certificate === undefined) {
    verdicts.push(mismatch('the certificate is no X.509 certificate'));
  }
  if (bundle !== undefined && intermediates === undefined) {
    verdicts.push(mismatch('the intermediates are no X.509 certificates'));
  }
  if (certificate === undefined) return verdicts;
  if (privateKey !== undefined && !certificate.checkPrivateKey(privateKey)) {
    verdicts.push(mismatch('the private key does not belong to the certificate'));
  }
  if (intermediates === undefined) return verdicts;
  if (intermediates.length > INTERMEDIATES_MAX || ![certificate, ...intermediates].every(isQuickKey)) {
    return [
      ...verdicts,
      unchecked('the intermediates are too many, or their keys of a kind that is not checked'),
    ];
  }
  if (!(await isChain(certificate, intermediates))) {
    verdicts.push(mismatch('an intermediate is not on the way up from the certificate'));
  }
  return verdicts;
}
