import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isChain, isQuickKey, readCertificates } from '../../src/crypto/certificates.ts';
import { certificatePem, type Kind, makeCertificate, makePair, makePkcs7, pem } from './certificate-maker.ts';

const leafKey = makePair('ec');
const authority = (kind: Kind, name: string) => ({ name, ...makePair(kind) });
const [lower, middle, root] = [
  authority('rsa', 'lower'),
  authority('ed25519', 'middle'),
  authority('ec', 'root'),
] as const;
const leaf = makeCertificate({ name: 'leaf', publicKey: leafKey.publicKey }, lower);
const lowerBytes = makeCertificate(lower, middle);
const middleBytes = makeCertificate(middle, root);
const rootBytes = makeCertificate(root, root);
const x509 = (bytes: Uint8Array): X509Certificate => new X509Certificate(bytes);
const chained = async (...others: Uint8Array[]) => await isChain(x509(leaf), others.map(x509));

describe('a chain', () => {
  it('holds in every order, with its root or without it, and alone', async () => {
    expect(await chained()).toBe(true);
    expect(await chained(lowerBytes)).toBe(true);
    expect(await chained(lowerBytes, middleBytes)).toBe(true);
    for (const order of [
      [lowerBytes, middleBytes, rootBytes],
      [rootBytes, middleBytes, lowerBytes],
      [middleBytes, rootBytes, lowerBytes],
    ]) {
      expect(await chained(...order)).toBe(true);
    }
  });

  it('holds with two certificates of one issuer', async () => {
    const crossed = makeCertificate(lower, root);
    expect(await chained(lowerBytes, crossed, middleBytes, rootBytes)).toBe(true);
  });

  it('holds for a certificate that issued itself', async () => {
    expect(await isChain(x509(rootBytes), [x509(rootBytes)])).toBe(true);
  });

  it('breaks where one is missing, where one is strange, and where the names alone are right', async () => {
    expect(await chained(middleBytes)).toBe(false);
    expect(await chained(lowerBytes, rootBytes)).toBe(false);
    const stranger = authority('rsa', 'stranger');
    expect(await chained(lowerBytes, makeCertificate(stranger, stranger))).toBe(false);
    const forged = makeCertificate(authority('rsa', 'lower'), middle);
    expect(await chained(forged)).toBe(false);
    expect(await chained(lowerBytes, forged)).toBe(false);
  });
});

describe('certificates', () => {
  const serials = (encoded: string | Uint8Array) =>
    readCertificates(Buffer.from(encoded))?.map(({ subject }) => subject);

  it('are read from PEM, DER and PKCS#7, in their order', () => {
    const both = ['CN=lower', 'CN=middle'];
    expect(serials(certificatePem(lowerBytes) + certificatePem(middleBytes))).toEqual(both);
    expect(serials(Buffer.concat([lowerBytes, middleBytes]))).toEqual(both);
    expect(serials(makePkcs7(lowerBytes, middleBytes))).toEqual(both);
    expect(serials(pem('PKCS7', makePkcs7(lowerBytes, middleBytes)))).toEqual(both);
    expect(serials(leaf)).toEqual(['CN=leaf']);
  });

  it('are none in other bytes', () => {
    const key = Buffer.from(leafKey.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    for (const bytes of [
      '',
      'x',
      key,
      certificatePem(leaf.subarray(1)),
      certificatePem(leaf) + key.toString(),
      leaf.subarray(0, -1),
      Buffer.concat([leaf, Buffer.from('3000', 'hex')]),
      makePkcs7(),
      pem('PKCS7', leaf.subarray(2)),
      makePkcs7(lowerBytes).subarray(0, 60),
    ]) {
      expect(serials(bytes)).toBeUndefined();
    }
  });

  it('with keys that are slow to verify with are told apart', () => {
    expect([leaf, lowerBytes, middleBytes, rootBytes].map((bytes) => isQuickKey(x509(bytes)))).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });
});
