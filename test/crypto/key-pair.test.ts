import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isPair, openPrivateKey, openPublicKey } from '../../src/crypto/key-pair.ts';
import { readPem } from '../../src/crypto/pem.ts';
import { cpuTime } from '../harness/cpu-time.ts';
import { der, formsOf, type Kind, makePair, pem, withIterations } from './certificate-maker.ts';

const KINDS: readonly Kind[] = ['rsa', 'ec', 'ed25519'];
const pairs = { rsa: makePair('rsa'), ec: makePair('ec'), ed25519: makePair('ed25519') };
const SESAME = Buffer.from('open sesame');

describe.each(KINDS)('a private key of kind %s', (kind) => {
  const pair = pairs[kind];

  it.each(formsOf(pair, kind))(
    'is opened from %s, by its passphrase where it has one',
    async (_, form, locked) => {
      const before = Buffer.from(form);
      const key = await openPrivateKey(form, SESAME);
      expect(typeof key === 'object' && isPair(key, pair.publicKey)).toBe(true);
      expect(form).toEqual(before);
      expect(SESAME.toString()).toBe('open sesame');
      const bare = await openPrivateKey(form, undefined);
      if (locked) expect(bare).toBe('locked');
      else expect(typeof bare === 'object' && isPair(bare, pair.publicKey)).toBe(true);
      for (const wrong of ['open sesam', 'open sesame\n', '', 'x'.repeat(300)]) {
        const tried = await openPrivateKey(form, Buffer.from(wrong));
        expect(typeof tried === 'object' ? 'opened' : tried).toBe(locked ? 'wrong passphrase' : 'opened');
      }
    },
  );

  it.each(formsOf(pair, kind))('cut or flipped in %s is refused, never thrown', async (_, form) => {
    for (const cut of [form.subarray(0, form.length >> 1), form.subarray(1), Buffer.alloc(0)]) {
      expect(await openPrivateKey(cut, SESAME)).toBeTypeOf('string');
    }
    for (let at = 0; at < form.length; at += Math.ceil(form.length / 40)) {
      const flipped = Buffer.from(form);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      await openPrivateKey(flipped, SESAME);
    }
  });

  it('is not its own public key', () => {
    expect(openPublicKey(Buffer.from(pair.privateKey.export({ format: 'pem', type: 'pkcs8' })))).toBe(
      'malformed',
    );
  });

  it('goes with its public key in PEM and DER, and with no other', () => {
    const { privateKey, publicKey } = pair;
    const other = makePair(kind).publicKey;
    for (const format of ['pem', 'der'] as const) {
      const encode = (key: typeof publicKey) =>
        Buffer.from(key.export({ format: format as 'pem', type: 'spki' }));
      const own = openPublicKey(encode(publicKey));
      const foreign = openPublicKey(encode(other));
      expect(typeof own === 'object' && isPair(privateKey, own)).toBe(true);
      expect(typeof foreign === 'object' && isPair(privateKey, foreign)).toBe(false);
    }
    for (const { publicKey: another } of Object.values(pairs)) {
      expect(isPair(privateKey, another)).toBe(another === publicKey);
      const der = privateKey.export({ format: 'der', type: 'pkcs8' });
      expect(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).type).toBe('private');
    }
  });
});

describe('a private key', () => {
  const encrypted = Buffer.from(
    pairs.ec.privateKey.export({
      format: 'der',
      type: 'pkcs8',
      cipher: 'aes-256-cbc',
      passphrase: 'open sesame',
    }),
  );
  const decode = (label: string, bytes: Buffer) => Buffer.from(pem(label, bytes));

  it('whose passphrase would take for ever is not opened, and takes no time', async () => {
    const bomb = (hex: string) => {
      const at = encrypted.indexOf(Buffer.from('02020800', 'hex'));
      const count = der(0x02, Buffer.from(hex, 'hex'));
      // The lengths around are longer by what the count is longer.
      const grown = Buffer.concat([encrypted.subarray(0, at), count, encrypted.subarray(at + 4)]);
      for (const place of lengthPlaces(encrypted, at)) grown[place] = (grown[place] ?? 0) + count.length - 4;
      return grown;
    };
    const start = cpuTime();
    for (const hex of ['7fffffff', '0f4241', '00ffffffff', '7fffffffffffffffff', '00', '80']) {
      expect(await openPrivateKey(bomb(hex), SESAME)).toBe('unsupported');
      expect(await openPrivateKey(decode('ENCRYPTED PRIVATE KEY', bomb(hex)), SESAME)).toBe('unsupported');
    }
    expect(cpuTime() - start).toBeLessThan(200);
    expect(await openPrivateKey(withIterations(encrypted, 2_049), SESAME)).toBe('wrong passphrase');
    expect(typeof (await openPrivateKey(withIterations(encrypted, 2_048), SESAME))).toBe('object');
  });

  it('of a kind that can cost any time is not opened', async () => {
    const dsa = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 });
    for (const format of ['pem', 'der'] as const) {
      const plain = dsa.privateKey.export({ format: format as 'pem', type: 'pkcs8' });
      expect(await openPrivateKey(Buffer.from(plain), undefined)).toBe('unsupported');
      const locked = {
        format: format as 'pem',
        type: 'pkcs8',
        cipher: 'aes-256-cbc',
        passphrase: 'p',
      } as const;
      expect(await openPrivateKey(Buffer.from(dsa.privateKey.export(locked)), Buffer.from('p'))).toBe(
        'unsupported',
      );
      const shown = dsa.publicKey.export({ format: format as 'pem', type: 'spki' });
      expect(openPublicKey(Buffer.from(shown))).toBe('unsupported');
    }
    for (const label of ['DSA PRIVATE KEY', 'OPENSSH PRIVATE KEY', 'ANY PRIVATE KEY']) {
      expect(await openPrivateKey(decode(label, encrypted), SESAME)).toBe('unsupported');
    }
  });

  it('encrypted in another way than PBES2 with PBKDF2 is not opened', async () => {
    for (const [from, to] of [
      ['2a864886f70d01050d', '2a864886f70d010503'],
      ['2a864886f70d01050c', '2a864886f70d01050b'],
      ['60864801650304012a', '608648016503040129'],
      ['2a864886f70d0209', '2a864886f70d0201'],
    ]) {
      const changed = Buffer.from(encrypted.toString('hex').replace(from!, to!), 'hex');
      expect(changed).not.toEqual(encrypted);
      expect(await openPrivateKey(changed, SESAME)).toBe('unsupported');
    }
    const old = pairs.rsa.privateKey.export({
      format: 'pem',
      type: 'pkcs1',
      cipher: 'aes-256-cbc',
      passphrase: 'p',
    });
    for (const [from, to] of [
      ['AES-256-CBC', 'AES-256-XTS'],
      [/DEK-Info: .*\n/, ''],
      [/AES-256-CBC,.*/, 'AES-256-CBC,00'],
    ] as const) {
      expect(await openPrivateKey(Buffer.from(old.toString().replace(from, to)), Buffer.from('p'))).toBe(
        'unsupported',
      );
    }
  });

  it('is the first of several blocks, whatever stands around it', async () => {
    const [own, other] = [pairs.ec, makePair('ec')].map(({ privateKey }) =>
      String(privateKey.export({ format: 'pem', type: 'sec1' })),
    );
    const parameters = pem('EC PARAMETERS', Buffer.from('06082a8648ce3d030107', 'hex'));
    const text = `Bag Attributes\r\n${parameters}${own}\nand then\n${other}`;
    for (const written of [text, text.replaceAll('\n', '\r\n')]) {
      const key = await openPrivateKey(Buffer.from(written), undefined);
      expect(typeof key === 'object' && isPair(key, pairs.ec.publicKey)).toBe(true);
    }
  });

  it('is none in other bytes', async () => {
    const certificate = pem('CERTIFICATE', Buffer.from('3000', 'hex'));
    for (const text of [
      '',
      'secret',
      '-----BEGIN PRIVATE KEY-----',
      certificate,
      '\x30\x00',
      '\x30\x80\x00\x00',
    ]) {
      expect(await openPrivateKey(Buffer.from(text, 'latin1'), SESAME)).toBe('malformed');
    }
    for (const label of ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY', 'ENCRYPTED PRIVATE KEY']) {
      expect(await openPrivateKey(decode(label, Buffer.from('0202ffff', 'hex')), SESAME)).toBe('malformed');
    }
  });
});

describe('a public key', () => {
  it('of RSA is read from PKCS#1 too', () => {
    for (const format of ['pem', 'der'] as const) {
      const encoded = pairs.rsa.publicKey.export({ format: format as 'pem', type: 'pkcs1' });
      const key = openPublicKey(Buffer.from(encoded));
      expect(typeof key === 'object' && isPair(pairs.rsa.privateKey, key)).toBe(true);
    }
  });

  it('is none in other bytes', () => {
    const shown = Buffer.from(createPublicKey(pairs.ec.privateKey).export({ format: 'der', type: 'spki' }));
    for (const bytes of [
      Buffer.from(''),
      Buffer.from('x'),
      shown.subarray(1),
      Buffer.from(pem('X', shown)),
    ]) {
      expect(openPublicKey(bytes)).toBe('malformed');
    }
    const cut = shown.subarray(0, -1);
    expect(openPublicKey(cut)).toBe('malformed');
  });
});

describe('PEM', () => {
  it('gives label, headers and bytes of each whole block', () => {
    const text = `${pem('A', Buffer.from('one'))}-----BEGIN B-----\nProc-Type: 4,ENCRYPTED\nX: y:z\n\nAAA=\n-----END B-----`;
    expect(readPem(Buffer.from(text))).toEqual([
      { label: 'A', headers: new Map(), body: new Uint8Array(Buffer.from('one')) },
      {
        label: 'B',
        headers: new Map([
          ['Proc-Type', '4,ENCRYPTED'],
          ['X', 'y:z'],
        ]),
        body: new Uint8Array(2),
      },
    ]);
  });

  it('decodes bytes of every length as base64 does', () => {
    for (let length = 0; length < 70; length += 1) {
      const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 151 + length) & 0xff));
      expect(Buffer.from(readPem(Buffer.from(pem('X', bytes)))[0]?.body ?? [])).toEqual(bytes);
    }
  });

  it('leaves out blocks that are not whole, and goes on behind them', () => {
    const whole = pem('A', Buffer.from('one'));
    for (const broken of [
      '-----BEGIN B-----\n',
      '-----BEGIN B-----\nAAAA\n-----END C-----\n',
      '-----BEGIN B-----\nA*AA\n-----END B-----\n',
      '-----BEGIN B-----\nAAA\n-----END B-----\n',
      '-----BEGIN B-----\nA===\n-----END B-----\n',
      '-----BEGIN ',
    ]) {
      expect(readPem(Buffer.from(`${broken}\n${whole}`)).map(({ label }) => label)).toEqual(['A']);
    }
  });

  it('takes no time for a text of nothing but beginnings', () => {
    const start = cpuTime();
    readPem(Buffer.from('-----BEGIN A-----\n'.repeat(3_600)));
    readPem(Buffer.from('-----BEGIN '.repeat(6_000)));
    expect(cpuTime() - start).toBeLessThan(200);
  });
});

/** Where the one-byte lengths of the values around a place stand; a long one's last byte. */
function lengthPlaces(input: Buffer, inside: number): number[] {
  const places: number[] = [];
  let at = 0;
  while (at < inside) {
    const first = input[at + 1] ?? 0;
    const longBytes = first >= 0x80 ? first & 0x7f : 0;
    const length = longBytes === 0 ? first : input.readUIntBE(at + 2, longBytes);
    const start = at + 2 + longBytes;
    const isConstructed = input[at] === 0x30;
    if (isConstructed && start + length > inside) {
      places.push(start - 1);
      at = start;
    } else at = start + length;
  }
  return places;
}
