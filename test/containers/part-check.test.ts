import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkParts } from '../../src/containers/part-check.ts';
import {
  certificatePem,
  formsOf,
  type Kind,
  makeCertificate,
  makePair,
  type Pair,
  pem,
} from '../crypto/certificate-maker.ts';

const KINDS: readonly Kind[] = ['rsa', 'ec', 'ed25519'];
const SESAME = 'open sesame';
const MATCH = { kind: 'match' };
const mismatch = (reason: string) => ({ kind: 'mismatch', reason });
const unchecked = (reason: string) => ({ kind: 'unchecked', reason });

async function check(type: string, parts: Record<string, string | Uint8Array>) {
  const bytes = Object.entries(parts).map(([name, part]) => [name, Buffer.from(part)] as const);
  const verdict = await checkParts(type, new Map(bytes));
  for (const [name, part] of bytes) expect(part).toEqual(Buffer.from(parts[name] ?? ''));
  return verdict;
}
const publicPem = ({ publicKey }: Pair) => publicKey.export({ format: 'pem', type: 'spki' });
const privatePem = ({ privateKey }: Pair) => privateKey.export({ format: 'pem', type: 'pkcs8' });

describe.each(KINDS)('a container of the kind %s', (kind) => {
  const pair = makePair(kind);
  const other = makePair(kind);
  const issuer = { name: 'issuer', ...makePair(kind === 'rsa' ? 'ec' : 'rsa') };
  const certificate = makeCertificate({ name: 'leaf', publicKey: pair.publicKey }, issuer);
  const issuerCertificate = makeCertificate(issuer, issuer);

  it.each(formsOf(pair, kind))('matches with its key in %s', async (_, key, isEncrypted) => {
    const parts = { private_key: key, private_key_passphrase: SESAME };
    expect(await check('rsa', { ...parts, public_key: publicPem(pair) })).toEqual(MATCH);
    expect(await check('certificate', { ...parts, certificate })).toEqual(MATCH);
    expect(await check('certificate', { ...parts, certificate: certificatePem(certificate) })).toEqual(MATCH);
    const foreign = { ...parts, public_key: publicPem(other) };
    expect(await check('rsa', foreign)).toEqual(
      mismatch('the private key does not belong to the public key'),
    );
    if (!isEncrypted) return;
    const wrong = mismatch('the passphrase does not open the private key');
    const locked = unchecked('the private key is encrypted and there is no passphrase');
    const bad = { ...parts, private_key_passphrase: 'sesame' };
    expect(await check('rsa', { ...bad, public_key: publicPem(pair) })).toEqual(wrong);
    expect(await check('certificate', { ...bad, certificate })).toEqual(wrong);
    expect(await check('certificate', { private_key: key, certificate })).toEqual(locked);
    expect(await check('rsa', { private_key: key, public_key: publicPem(pair) })).toEqual(locked);
  });

  it('does not match with another key of its kind, or of another', async () => {
    const reason = mismatch('the private key does not belong to the certificate');
    for (const stranger of [other, ...KINDS.map(makePair)]) {
      expect(await check('certificate', { certificate, private_key: privatePem(stranger) })).toEqual(reason);
      expect(await check('rsa', { public_key: publicPem(pair), private_key: privatePem(stranger) })).toEqual(
        mismatch('the private key does not belong to the public key'),
      );
    }
  });

  it('matches without a key, and with what issued the certificate', async () => {
    expect(await check('certificate', { certificate })).toEqual(MATCH);
    expect(await check('certificate', { certificate, intermediates: issuerCertificate })).toEqual(MATCH);
    const stranger = { name: 'stranger', ...makePair(kind) };
    const bundle = certificatePem(issuerCertificate) + certificatePem(makeCertificate(stranger, stranger));
    expect(await check('certificate', { certificate, intermediates: bundle })).toEqual(
      mismatch('an intermediate is not on the way up from the certificate'),
    );
  });
});

describe('a part', () => {
  const pair = makePair('ec');
  const issuer = { name: 'issuer', ...pair };
  const certificate = makeCertificate(issuer, issuer);

  it('that is not what its slot says is a mismatch', async () => {
    for (const junk of ['', 'secret', '-----BEGIN CERTIFICATE-----', Buffer.alloc(300, 0x30)]) {
      expect(await check('certificate', { certificate: junk })).toEqual(
        mismatch('the certificate is no X.509 certificate'),
      );
      expect(await check('certificate', { certificate, private_key: junk })).toEqual(
        mismatch('the private key is no private key'),
      );
      expect(await check('certificate', { certificate, intermediates: junk })).toEqual(
        mismatch('the intermediates are no X.509 certificates'),
      );
      expect(await check('rsa', { public_key: junk, private_key: privatePem(pair) })).toEqual(
        mismatch('the public key is no public key'),
      );
    }
    expect(await check('certificate', { certificate: privatePem(pair) })).toMatchObject({ kind: 'mismatch' });
  });

  it('that is missing is not looked at', async () => {
    expect(await check('certificate', {})).toEqual(MATCH);
    expect(await check('certificate', { private_key: privatePem(pair) })).toEqual(MATCH);
    expect(await check('certificate', { intermediates: certificate })).toEqual(MATCH);
    expect(await check('rsa', {})).toEqual(MATCH);
    expect(await check('rsa', { public_key: publicPem(pair) })).toEqual(MATCH);
    expect(await check('rsa', { private_key_passphrase: 'x' })).toEqual(MATCH);
  });

  it('of a kind that could take any time is told apart, and a mismatch beside it comes first', async () => {
    const dsa = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 });
    expect(await check('rsa', { private_key: privatePem(dsa), public_key: publicPem(dsa) })).toEqual(
      unchecked('the private key is of a kind, or encrypted in a way, that is not checked'),
    );
    expect(await check('rsa', { private_key: privatePem(pair), public_key: publicPem(dsa) })).toEqual(
      unchecked('the public key is of a kind that is not checked'),
    );
    expect(await check('rsa', { private_key: privatePem(dsa), public_key: 'x' })).toEqual(
      mismatch('the public key is no public key'),
    );
    const huge = 'x'.repeat(65_537);
    expect(await check('certificate', { certificate: huge })).toEqual(
      unchecked('a part is longer than keys and certificates are'),
    );
  });

  it('of a chain is not looked at past ten', async () => {
    const bundle = (count: number) => certificatePem(certificate).repeat(count);
    expect(await check('certificate', { certificate, intermediates: bundle(10) })).toEqual(MATCH);
    expect(await check('certificate', { certificate, intermediates: bundle(11) })).toMatchObject({
      kind: 'unchecked',
    });
    const slow = generateKeyPairSync('rsa', { modulusLength: 1024, publicExponent: 0x1_0001 });
    const named = { name: 'slow', ...slow };
    expect(
      await check('certificate', {
        certificate: makeCertificate(named, named),
        intermediates: pem('X', certificate),
      }),
    ).toMatchObject({ kind: 'mismatch' });
  });
});
