import { generateKeyPairSync } from 'node:crypto';
import { hashSecret, makeSecret, matchesSecret } from '../../src/identity/applications/credential-secret.ts';
import { openJwt } from '../../src/identity/jwt.ts';
import { createTokens, type SigningKey } from '../../src/identity/tokens.ts';
import { requestBytes } from './load.ts';

const TOKENS = '/identity/v3/auth/tokens';
const ROUNDS = 20_000;
const json = { 'content-type': 'application/json' };

/** The request of an application that logs in, as keystoneauth sends it. */
export async function makeApplicationLogin(url: string, token: string): Promise<Buffer> {
  const headers = { ...json, 'x-auth-token': token };
  const { user } = await describeToken(url, token);
  const answer = await fetch(`${url}/identity/v3/users/${user.id}/application_credentials`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ application_credential: { name: 'bench' } }),
  });
  const made = (await answer.json()) as { application_credential: { id: string; secret: string } };
  const { id, secret } = made.application_credential;
  return loginRequest({ methods: ['application_credential'], application_credential: { id, secret } });
}

export function passwordLogin(password: string): Buffer {
  const user = { name: 'admin', password, domain: { name: 'Default' } };
  return loginRequest({ methods: ['password'], password: { user } });
}

function loginRequest(identity: object): Buffer {
  return requestBytes('POST', TOKENS, json, Buffer.from(JSON.stringify({ auth: { identity } })));
}

async function describeToken(url: string, token: string): Promise<{ user: { id: string } }> {
  const headers = { 'x-auth-token': token, 'x-subject-token': token };
  const answer = await fetch(`${url}${TOKENS}`, { headers });
  return ((await answer.json()) as { token: { user: { id: string } } }).token;
}

export interface TokenCosts {
  verify: number;
  verifyCached: number;
  sign: number;
  matchSecret: number;
}

/** Microseconds of CPU of one of each, in this process. */
export async function measureTokens(): Promise<TokenCosts> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const jwt = await openJwt('bench', privatePem, publicKeyPem);
  const [notBefore, notAfter] = [new Date(0), new Date('2100-01-01T00:00:00Z')];
  const key: SigningKey = { id: 'bench', jwt, publicKeyPem, notBefore, notAfter };
  const now = new Date();
  const iat = Math.floor(now.getTime() / 1000);
  const sub = 'f'.repeat(32);
  const grant = { sub, prj: sub, iat, ms: 0, exp: iat + 3_600, methods: ['password'] };
  const tokens = createTokens('coffer:bench', () => key);
  const made: string[] = [];
  const sign = costOf(() => void made.push(tokens.sign(key, grant).token));
  let at = 0;
  const verify = costOf(() => void tokens.verify(made[at++] ?? '', now));
  const again = made.at(-1) ?? '';
  const verifyCached = costOf(() => void tokens.verify(again, now));
  const secret = makeSecret('cofa');
  const hash = hashSecret('bench', secret);
  const matchSecret = costOf(() => void matchesSecret(hash, 'bench', secret));
  return { verify, verifyCached, sign, matchSecret };
}

function costOf(work: () => void): number {
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round += 1) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / ROUNDS;
}
