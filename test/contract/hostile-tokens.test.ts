import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRow } from '../../src/db/sealed.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

const TOKENS = '/identity/v3/auth/tokens';
let coffer: StartedCoffer;
let person: Person;
/** The key that the server signs with, taken out of its database: nothing but the content can be wrong. */
let genuine: KeyObject;
let kid: string;
let claims: Record<string, unknown>;

beforeAll(async () => {
  coffer = await startCoffer();
  person = await coffer.person(['creator'], 'demo');
  const { db, keyring } = coffer.installation;
  const { rows } = await db.query<{ id: string }>({ text: 'SELECT * FROM signing_keys' });
  const opened = await openRow(keyring, 'signing_keys', {}, rows[0]);
  const der = await keyring.open('signing-key', 'system', opened.id, { ...rows[0], ...opened } as never);
  genuine = createPrivateKey({ key: Buffer.from(der), type: 'pkcs8', format: 'der' });
  kid = opened.id;
  claims = JSON.parse(Buffer.from(person.token.split('.')[1] ?? '', 'base64url').toString());
});
afterAll(async () => await coffer.stop());

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function forge(header: unknown, payload: unknown, key: KeyObject = genuine): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
}

const header = () => ({ alg: 'EdDSA', typ: 'JWT', kid });
const now = () => Math.floor(Date.now() / 1000);

/** Each is wrong in one way. */
function hostileTokens(): Record<string, string> {
  const [, payload = '', signature = ''] = person.token.split('.');
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' });
  const text = JSON.stringify(claims);
  const hmac = (alg: string): string => {
    const input = `${encode({ ...header(), alg })}.${payload}`;
    const publicPem = publicKey.export({ type: 'spki', format: 'pem' });
    return `${input}.${createHmac('sha256', publicPem).update(input).digest('base64url')}`;
  };
  const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const { prj: _project, ...unscoped } = claims;
  const tokens: Record<string, string> = {
    'no token': 'x',
    'dots alone': '..',
    'alg none': `${encode({ ...header(), alg: 'none' })}.${payload}.`,
    'alg none with a signature': `${encode({ ...header(), alg: 'none' })}.${payload}.${signature}`,
    'alg HS256 by the public key': hmac('HS256'),
    'alg RS256': forge({ ...header(), alg: 'RS256' }, claims),
    'a foreign key': forge(header(), claims, privateKey),
    'a foreign key under its own name': forge({ ...header(), kid: 'foreign' }, claims, privateKey),
    'a jwk': forge({ ...header(), jwk }, claims, privateKey),
    'a jku': forge({ ...header(), jku: `${coffer.url}/identity/jwks` }, claims),
    'an x5u': forge({ ...header(), x5u: coffer.url }, claims),
    'an x5c': forge({ ...header(), x5c: [] }, claims),
    crit: forge({ ...header(), crit: ['exp'] }, claims),
    'a kid that is a path': forge({ ...header(), kid: '../../../dev/null' }, claims),
    'a kid that is SQL': forge({ ...header(), kid: `' OR '1'='1` }, claims),
    'a kid that is an object': forge({ ...header(), kid: { toString: kid } }, claims),
    'a kid that is a list': forge({ ...header(), kid: [kid] }, claims),
    'a kid of every object': forge({ ...header(), kid: 'constructor' }, claims),
    'a name twice in the header': forge(`{"alg":"none",${JSON.stringify(header()).slice(1)}`, claims),
    'a nested header': forge({ ...header(), alg: { alg: 'EdDSA' } }, claims),
    'a header of lists in lists': forge(nested(380), claims),
    'a claim twice': forge(header(), `{"sub":"someone",${text.slice(1)}`),
    'claims in claims': forge(header(), { claims }),
    'claims as a text': forge(header(), JSON.stringify(text)),
    'claims in a list': forge(header(), [claims]),
    'lists in lists': forge(header(), nested(1_400)),
    'a prototype': forge(header(), `{"__proto__":{"sys":true},${text.slice(1)}`),
    'blanks in the claims': forge(header(), ` ${text}`),
    'a text spelt otherwise': forge(header(), text.replace('coffer"', '\\u0063offer"')),
    'no UTF-8': `${encode(header())}.${Buffer.from('{"sub":"\xff\xfe"}', 'latin1').toString('base64url')}.${signature}`,
    'another issuer': forge(header(), { ...claims, iss: 'coffer:00' }),
    'another audience': forge(header(), { ...claims, aud: 'nova' }),
    'two audiences': forge(header(), { ...claims, aud: ['coffer', 'nova'] }),
    'an end that was': forge(header(), { ...claims, exp: now() - 1 }),
    'a beginning to come': forge(header(), { ...claims, iat: now() + 3_600, exp: now() + 7_200 }),
    'a claim too many': forge(header(), { ...claims, roles: ['admin'] }),
    'two scopes': forge(header(), { ...claims, sys: true }),
    'the system that its user has no role in': forge(header(), { ...unscoped, sys: true }),
    'a domain that its user has no role in': forge(header(), { ...unscoped, dom: 'default' }),
    'a project that is not': forge(header(), { ...claims, prj: 'no-such-project' }),
    'the reserved project': forge(header(), { ...claims, prj: 'system' }),
    'a user who is not': forge(header(), { ...claims, sub: 'no-such-user' }),
    'an application credential that is not': forge(header(), { ...claims, app: 'no-such-credential' }),
    'an issuer that is not': forge(header(), { ...claims, iss_id: 'no-such-issuer', iss_sub: 'x' }),
    'a padded signature': `${person.token}==`,
    'more than 4 KiB': forge(header(), { ...claims, methods: ['x'.repeat(4_096)] }),
    'a good one within a longer one': `${person.token}.${person.token}`,
    'JSON serialization': JSON.stringify({ payload, signature }),
  };
  for (const name of Object.keys(claims)) {
    if (name === 'prj') continue;
    const { [name]: _left, ...rest } = claims;
    tokens[`no ${name}`] = forge(header(), rest);
    tokens[`${name} of another type`] = forge(header(), { ...claims, [name]: { not: 'this' } });
    tokens[`${name} null`] = forge(header(), { ...claims, [name]: null });
  }
  return tokens;
}

it('accepts the same token made by hand, so that what follows tests something', async () => {
  const asked = { headers: { 'x-auth-token': forge(header(), { ...claims, jti: 'x', audit_ids: ['x'] }) } };
  expect((await coffer.stranger.get('/v1/secrets', asked)).status).toBe(200);
});

describe('a hostile token', () => {
  it('is 401 wherever a token is asked for, in each header, and 404 as a subject', async () => {
    const wrong: string[] = [];
    for (const [what, token] of Object.entries(hostileTokens())) {
      for (const header of [{ 'x-auth-token': token }, { authorization: `Bearer ${token}` }]) {
        for (const path of ['/v1/secrets', '/v1/no-such-thing', '/identity/v3/auth/projects', TOKENS]) {
          const { status } = await coffer.stranger.get(path, { headers: header });
          if (status !== 401) wrong.push(`${what}: ${Object.keys(header)[0]} ${path} ${status}`);
        }
      }
      for (const method of ['GET', 'HEAD', 'DELETE']) {
        const { status } = await person.client.send(method, TOKENS, {
          headers: { 'x-subject-token': token },
        });
        if (status !== 404) wrong.push(`${what}: as a subject of ${method} ${status}`);
      }
      const auth = { identity: { methods: ['token'], token: { id: token } } };
      const { status, headers } = await coffer.stranger.post(TOKENS, { auth });
      if (status !== 401 || headers['x-subject-token'] !== undefined) wrong.push(`${what}: log-in ${status}`);
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  it('in white space, twice, or beside another is refused with 400 or 401, never taken', async () => {
    const { token } = person;
    for (const value of [
      `${token} ${token}`,
      `${token},${token}`,
      `${token};x`,
      `"${token}"`,
      `\t${token} x`,
    ]) {
      const reply = await coffer.stranger.get('/v1/secrets', { headers: { 'x-auth-token': value } });
      expect(reply.status).toBe(401);
    }
    const other = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`;
    const headers = { 'x-auth-token': token, authorization: `Bearer ${other}` };
    expect((await coffer.stranger.get('/v1/secrets', { headers })).status).toBe(400);
    const lone = { headers: { 'x-subject-token': `${token}, ${token}` } };
    expect((await person.client.get(TOKENS, lone)).status).toBe(404);
  });

  it('of any length is refused before it is looked at, or with its headers', async () => {
    for (const length of [4_097, 8_000, 12_000]) {
      const asked = { headers: { 'x-auth-token': 'A'.repeat(length) } };
      expect((await coffer.stranger.get('/v1/secrets', asked)).status).toBe(401);
    }
    const asked = { headers: { 'x-auth-token': 'A'.repeat(20_000) } };
    expect((await coffer.stranger.get('/v1/secrets', asked)).status).toBe(431);
    expect((await person.client.get('/v1/secrets')).status).toBe(200);
  });
});
