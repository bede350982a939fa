import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  hashSecret,
  isMadeSecret,
  makeSecret,
  matchesSecret,
} from '../../../src/identity/applications/credential-secret.ts';
import { encode } from '../../crypto/reference.ts';

describe('a secret that was made', () => {
  it('has a prefix, 256 random bits and the checksum of both', () => {
    const secret = makeSecret('cofa');
    const [, body = '', sum = ''] = /^(cofa_[A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})$/.exec(secret) ?? [];
    expect(Buffer.from(body.slice(5), 'base64url').length).toBe(32);
    expect(Buffer.from(sum, 'base64url').readUInt32BE()).toBe(crc32(body));
    expect(new Set(Array.from({ length: 50 }, () => makeSecret('cofa'))).size).toBe(50);
  });

  it('is known by its checksum, with any character changed it is not, nor as another kind', () => {
    const secret = makeSecret('cofr');
    expect(isMadeSecret('cofr', secret)).toBe(true);
    expect(isMadeSecret('cofa', secret)).toBe(false);
    for (let at = 0; at < secret.length; at += 1) {
      const other = secret[at] === 'A' ? 'B' : 'A';
      const changed = `${secret.slice(0, at)}${other}${secret.slice(at + 1)}`;
      expect(isMadeSecret('cofr', changed)).toBe(false);
    }
    for (const text of ['', 'cofr_', secret.slice(1), `${secret}A`, ` ${secret}`, `${secret}\n`]) {
      expect(isMadeSecret('cofr', text)).toBe(false);
    }
  });
});

describe('the hash of a secret', () => {
  it('is what FORMAT.md says', () => {
    const hex = Buffer.from('s3cret').toString('hex');
    const message = encode([
      ['text', 'coffer:application-credential'],
      ['text', 'id'],
      ['bytes', hex],
    ]);
    expect(hashSecret('id', 's3cret')).toEqual(createHash('sha256').update(message).digest());
  });

  it('is matched by that secret for that credential, and by nothing where there is none', () => {
    const hash = hashSecret('id', 's3cret');
    expect(matchesSecret(hash, 'id', 's3cret')).toBe(true);
    expect(matchesSecret(hash, 'di', 's3cret')).toBe(false);
    expect(matchesSecret(hash, 'id', 'S3cret')).toBe(false);
    expect(matchesSecret(hash, 'id', '')).toBe(false);
    expect(matchesSecret(null, 'id', 's3cret')).toBe(false);
    expect(matchesSecret(Buffer.alloc(0), 'id', 's3cret')).toBe(false);
    expect(matchesSecret(hash.subarray(1), 'id', 's3cret')).toBe(false);
  });
});
