import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JWK, SignJWT } from 'jose';

export interface TestKey {
  kid: string;
  alg: string;
  privateKey: KeyObject;
  jwk: JWK;
}

export function makeKey(alg = 'ES256', kid = `key-${randomUUID().slice(0, 8)}`): TestKey {
  const { privateKey, publicKey } = generatePair(alg);
  return { kid, alg, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
}

function generatePair(alg: string): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519');
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (alg === 'ES384') return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  return generateKeyPairSync('rsa', { modulusLength: 2_048 });
}

export type Claims = Record<string, unknown>;

/** Signs any claims, under any header. */
export async function signJwt(key: TestKey, claims: Claims, header: object = {}): Promise<string> {
  const protectedHeader = { alg: key.alg, kid: key.kid, typ: 'JWT', ...header };
  return await new SignJWT(claims).setProtectedHeader(protectedHeader).sign(key.privateKey);
}

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An issuer that the test runs: its address is loopback, so a server must be allowed to ask it. */
export interface TestIssuer {
  url: string;
  jwksUrl: string;
  /** Those in its set; a test changes them. */
  keys: TestKey[];
  /** How often the set was asked for. */
  asked: number;
  /** Answers instead of the set. */
  answer: Answer | undefined;
  claims(more?: Claims): Claims;
  /** A JWT of the first key. */
  sign(more?: Claims, header?: object): Promise<string>;
  stop(): Promise<void>;
}

export async function startIssuer(...keys: TestKey[]): Promise<TestIssuer> {
  const server = createServer((request, response) => {
    issuer.asked += 1;
    if (issuer.answer !== undefined) {
      issuer.answer(request, response);
      return;
    }
    response.setHeader('content-type', 'application/jwk-set+json');
    response.end(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: TestIssuer = {
    url,
    jwksUrl: `${url}/jwks`,
    keys: keys.length > 0 ? keys : [makeKey()],
    asked: 0,
    answer: undefined,
    claims: (more = {}) => ({
      iss: url,
      aud: 'coffer-test',
      sub: 'system:serviceaccount:shop:web',
      iat: inSeconds(0),
      exp: inSeconds(600),
      ...more,
    }),
    sign: async (more, header) => await signJwt(issuer.keys[0]!, issuer.claims(more), header),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return issuer;
}
