import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIssuer } from '../../src/identity/federation/issuers.ts';
import { rounds } from '../harness/rounds.ts';
import { type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';
import { startIssuer, type TestIssuer } from '../identity/federation/test-issuer.ts';

const FEDERATED = '/identity/v3/OS-FEDERATION/identity_providers/jobs/protocols/openid/auth';
const EXCHANGE = '/identity/oauth2/token';
const FORM = 'application/x-www-form-urlencoded';
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt';

let coffer: StartedCoffer;
let issuer: TestIssuer;

beforeAll(async () => {
  [coffer, issuer] = await Promise.all([startCoffer(), startIssuer()]);
  await coffer.person(['creator'], 'shop');
  await createIssuer(
    { ...coffer.installation, clock: { now: () => new Date() } },
    {
      name: 'jobs',
      issuerUrl: issuer.url,
      url: issuer.jwksUrl,
      keys: null,
      audience: 'coffer-test',
      claims: new Map([['team', 'shop']]),
      project: 'shop',
      roles: ['creator'],
      allowPrivate: true,
      allowHttp: true,
    },
  );
});
afterAll(async () => {
  await coffer.stop();
  await issuer.stop();
});

const federate = async (authorization: string): Promise<number> =>
  (await coffer.stranger.send('POST', FEDERATED, { headers: { authorization } })).status;
const exchange = async (body: string | Uint8Array, type = FORM) =>
  await coffer.stranger.send('POST', EXCHANGE, { headers: { 'content-type': type }, body });
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('whatever a stranger sends', () => {
  it('as a bearer is 401, and never a defect', async () => {
    const visible = fc.string({
      unit: fc.constantFrom(...' !"#$%&\'()*+,-./019:;<=>?@AZ[]^_`az{|}~'.split('')),
    });
    await fc.assert(
      fc.asyncProperty(visible, fc.json(), fc.json(), async (text, header, payload) => {
        expect(await federate(`Bearer ${text}`)).toBe(401);
        expect(await federate(text === '' ? 'x' : text)).toBe(401);
        expect(await federate(`Bearer ${part(header)}.${part(payload)}.${'A'.repeat(86)}`)).toBe(401);
      }),
      { numRuns: rounds(300) },
    );
  });

  it('signed by the issuer itself is 401 without what is demanded', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (claims) => {
        const jwt = await issuer.sign({ ...claims, team: claims['team'] === 'shop' ? 'x' : claims['team'] });
        if (jwt.length < 8_000) expect(await federate(`Bearer ${jwt}`)).toBe(401);
      }),
      { numRuns: rounds(300) },
    );
    expect(await federate(`Bearer ${await issuer.sign({ team: 'shop' })}`)).toBe(201);
  });

  it('as a form is 400, and never a defect', async () => {
    const start = `grant_type=${GRANT}&subject_token_type=${JWT_TYPE}&subject_token=`;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.webQueryParameters(), async (bytes, query) => {
        for (const body of [bytes, query, Buffer.concat([Buffer.from(start), bytes]), `${start}${query}`]) {
          const reply = await exchange(body);
          expect([reply.status, typeof reply.json.error]).toEqual([400, 'string']);
        }
      }),
      { numRuns: rounds(300) },
    );
    for (const type of ['', 'text/plain', 'application/json', 'multipart/form-data; boundary=x', 'x']) {
      expect((await exchange(start, type)).status).toBe(400);
    }
  });

  it('makes the server ask the issuer no more often', async () => {
    const before = issuer.asked;
    const jwts = await Promise.all(
      Array.from(
        { length: 50 },
        async (_, index) => await issuer.sign({ team: 'shop' }, { kid: `kid-${index}` }),
      ),
    );
    const statuses = await Promise.all(jwts.map(async (jwt) => await federate(`Bearer ${jwt}`)));
    expect(new Set(statuses)).toEqual(new Set([401]));
    expect(issuer.asked - before).toBeLessThanOrEqual(1);
  });
});
