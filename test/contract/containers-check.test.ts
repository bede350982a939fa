import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CofferError } from '../../src/errors.ts';
import { certificatePem, formsOf, makeCertificate, makePair } from '../crypto/certificate-maker.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

const pair = makePair('ec');
const other = makePair('ec');
const issuer = { name: 'issuer', ...makePair('rsa') };
const CERTIFICATE = certificatePem(makeCertificate({ name: 'leaf', publicKey: pair.publicKey }, issuer));
const KEY = String(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
const LOCKED = String(formsOf(pair, 'ec').find(([name]) => name === 'PKCS#8 under aes-256-cbc in pem')?.[1]);
const OTHER_KEY = String(other.privateKey.export({ format: 'pem', type: 'pkcs8' }));
const PUBLIC = String(pair.publicKey.export({ format: 'pem', type: 'spki' }));

describe.each(['warn', 'refuse'] as const)('COFFER_CHECK_CONTAINERS=%s', (mode) => {
  let coffer: StartedCoffer;
  let alice: Person;
  let bob: Person;
  let lines: string[];
  const log = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  beforeAll(async () => {
    lines = [];
    const env = { COFFER_CHECK_CONTAINERS: mode, COFFER_METRICS: '1', COFFER_LOG_LEVEL: 'info' };
    coffer = await startCoffer({ env, log });
    alice = await coffer.person(['creator']);
    bob = await coffer.person(['creator']);
  });
  afterAll(async () => await coffer.stop());
  beforeEach(() => void (lines = []));

  async function store(payload: string | undefined, { client } = alice): Promise<string> {
    const body = payload === undefined ? {} : { payload, payload_content_type: 'text/plain' };
    return (await client.post('/v1/secrets', body)).json.secret_ref;
  }
  async function make(type: string, parts: Record<string, string | undefined>, owner = alice) {
    const secret_refs = [];
    for (const [name, payload] of Object.entries(parts)) {
      secret_refs.push({ name, secret_ref: await store(payload, owner) });
    }
    return await alice.client.post('/v1/containers', { type, secret_refs });
  }
  const told = (message: string): { reason: string; type: string }[] =>
    lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === message);
  const mismatches = async (type: string): Promise<number> => {
    const { text } = await coffer.stranger.get('/metrics');
    return Number(
      new RegExp(`coffer_container_mismatches_total\\{type="${type}"\\} (\\d+)`).exec(text)?.[1] ?? 0,
    );
  };

  it.each([
    ['certificate', { certificate: CERTIFICATE, private_key: KEY }],
    ['certificate', { certificate: CERTIFICATE, private_key: LOCKED, private_key_passphrase: 'open sesame' }],
    ['certificate', { certificate: CERTIFICATE }],
    ['rsa', { public_key: PUBLIC, private_key: KEY }],
    ['rsa', { public_key: undefined, private_key: undefined }],
    ['certificate', { certificate: undefined, private_key: 'anything' + KEY }],
    ['generic', { certificate: CERTIFICATE, private_key: OTHER_KEY }],
  ])('says nothing of a %s container that is whole: %#', async (type, parts) => {
    const before = await mismatches(type);
    expect((await make(type, parts)).status).toBe(201);
    expect(lines.filter((line) => line.includes('the parts of a container'))).toEqual([]);
    expect(await mismatches(type)).toBe(before);
  });

  it.each([
    [
      'certificate',
      { certificate: CERTIFICATE, private_key: OTHER_KEY },
      'the private key does not belong to the certificate',
    ],
    [
      'certificate',
      { certificate: CERTIFICATE, private_key: LOCKED, private_key_passphrase: 'wrong' },
      'the passphrase does not open the private key',
    ],
    [
      'certificate',
      { certificate: CERTIFICATE, intermediates: CERTIFICATE + CERTIFICATE },
      'an intermediate is not on the way up from the certificate',
    ],
    ['certificate', { certificate: 'no certificate' }, 'the certificate is no X.509 certificate'],
    [
      'rsa',
      { public_key: PUBLIC, private_key: OTHER_KEY },
      'the private key does not belong to the public key',
    ],
  ])('tells log and metrics of a %s container that is not: %#', async (type, parts, reason) => {
    const before = await mismatches(type);
    const total = (await alice.client.get('/v1/containers')).json.total;
    const reply = await make(type, parts);
    if (mode === 'warn') expect(reply.status).toBe(201);
    else {
      expect([reply.status, reply.json.description]).toEqual([
        400,
        `Container creation issue seen - ${reason}.`,
      ]);
      expect((await alice.client.get('/v1/containers')).json.total).toBe(total);
    }
    expect(told('the parts of a container do not belong together')).toMatchObject([{ type, reason }]);
    expect(await mismatches(type)).toBe(before + 1);
    const pieces = Object.values(parts).map((part) => part.slice(40, 80));
    for (const piece of pieces.filter((text) => text !== '')) expect(lines.join('')).not.toContain(piece);
  });

  it('accepts what cannot be checked, and says why in the log', async () => {
    expect((await make('certificate', { certificate: CERTIFICATE, private_key: LOCKED })).status).toBe(201);
    expect(told('the parts of a container were not checked')).toMatchObject([
      { type: 'certificate', reason: 'the private key is encrypted and there is no passphrase' },
    ]);
  });

  it('tells nothing of payloads that the caller may not read: right or wrong is answered alike', async () => {
    for (const key of [KEY, OTHER_KEY, 'no key']) {
      const certificate = await store(CERTIFICATE, bob);
      const privateKey = await store(key, bob);
      const acl = { read: { 'project-access': false } };
      expect((await bob.client.put(`${privateKey}/acl`, acl)).status).toBe(200);
      expect((await alice.client.get(`${privateKey}/payload`)).status).toBe(403);
      lines = [];
      const reply = await alice.client.post('/v1/containers', {
        type: 'certificate',
        secret_refs: [
          { name: 'certificate', secret_ref: certificate },
          { name: 'private_key', secret_ref: privateKey },
        ],
      });
      expect(reply.status).toBe(201);
      expect(told('the parts of a container were not checked')).toMatchObject([
        { reason: 'who makes the container may not read each of its payloads' },
      ]);
      expect(lines.filter((line) => line.includes('"secret:decrypt"'))).toEqual([]);
    }
  });

  it('records each payload that it reads as a reading by the caller', async () => {
    await make('certificate', { certificate: CERTIFICATE, private_key: KEY });
    const readings = lines
      .filter((line) => line.includes('"secret:decrypt"'))
      .map((line) => JSON.parse(line));
    expect(readings).toHaveLength(2);
    for (const reading of readings) expect(JSON.stringify(reading)).toContain(alice.userId);
  });

  describe('with as many checks of a project as may wait', () => {
    let carol: Person;
    let releases: (() => void)[];
    let held: Promise<unknown>;
    beforeAll(async () => (carol = await coffer.person(['creator'], 'shop')));
    beforeEach(() => {
      releases = [];
      const holdOne = async (): Promise<void> => {
        const ended = new Promise<void>((resolve) => releases.push(resolve));
        await coffer.server.coffer.containerChecks.gate(async () => await ended, alice.projectId);
      };
      held = Promise.all(Array.from({ length: 34 }, holdOne));
    });
    afterEach(async () => {
      vi.restoreAllMocks();
      for (const release of releases) release();
      await held;
    });
    const unchecked = 'the parts of a container were not checked';

    it('lets one more in unchecked and says so in the log, but has it come again where it refuses', async () => {
      const reply = await make('rsa', { public_key: PUBLIC, private_key: OTHER_KEY });
      if (mode === 'refuse') {
        expect([reply.status, reply.headers['retry-after']]).toEqual([503, '2']);
        expect(told(unchecked)).toEqual([]);
        return;
      }
      expect(reply.status).toBe(201);
      const reason = 'too many containers of the project are made at once';
      expect(told(unchecked)).toMatchObject([{ type: 'rsa', reason }]);
    });

    it('checks those of another project, and most of the waiting come after them', async () => {
      const secret_refs = [
        { name: 'public_key', secret_ref: await store(PUBLIC, carol) },
        { name: 'private_key', secret_ref: await store(OTHER_KEY, carol) },
      ];
      const gate = vi.spyOn(coffer.server.coffer.containerChecks, 'gate');
      const answer = carol.client.post('/v1/containers', { type: 'rsa', secret_refs });
      await expect.poll(() => gate.mock.calls.map(([, project]) => project)).toEqual([carol.projectId]);
      for (const release of releases.slice(0, 2)) release();
      expect((await answer).status).toBe(mode === 'warn' ? 201 : 400);
      expect(told('the parts of a container do not belong together')).toHaveLength(1);
    });
  });

  it('makes no container when the payloads cannot be read just now: 503 as everywhere', async () => {
    const { keyring } = coffer.server.coffer;
    const away = vi.spyOn(keyring, 'open').mockRejectedValue(new CofferError('unavailable', 'Away'));
    const reply = await make('rsa', { public_key: PUBLIC, private_key: KEY });
    away.mockRestore();
    expect([reply.status, reply.json.description]).toEqual([503, 'Away']);
  });
});
