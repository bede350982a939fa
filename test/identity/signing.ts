import { type KeyObject, generateKeyPairSync, sign } from 'node:crypto';
import { openJwt } from '../../src/identity/jwt.ts';
import type { SigningKey } from '../../src/identity/tokens.ts';

export const ISSUER = 'coffer:test';
export const NOW = new Date('2026-11-21T12:00:00Z');
export const SECONDS = NOW.getTime() / 1000;

export interface TestKey extends SigningKey {
  privateKey: KeyObject;
}

export async function makeKey(id: string, notAfter = new Date('2027-01-01T00:00:00Z')): Promise<TestKey> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    id,
    privateKey,
    jwt: await openJwt(id, privatePem, publicKeyPem),
    publicKeyPem,
    notBefore: new Date(0),
    notAfter,
  };
}

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token with a genuine signature over any header and payload; texts go as they are. */
export function forge(key: TestKey, header: unknown, payload: unknown): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), key.privateKey).toString('base64url')}`;
}

export const headerOf = (key: TestKey) => ({ alg: 'EdDSA', typ: 'JWT', kid: key.id });

export const wholeClaims = () => ({
  iss: ISSUER,
  aud: 'coffer',
  sub: 'user-1',
  prj: 'project-1',
  jti: 'jti-1',
  iat: SECONDS,
  ms: 0,
  exp: SECONDS + 60,
  methods: ['password'],
  audit_ids: ['jti-1'],
});
