import { expect, it } from 'vitest';
import type { SecretRow } from '../../src/db/schema.ts';
import { formatSecret } from '../../src/secrets/wire.ts';

const row: SecretRow = {
  id: 'dcd327cc-56ea-478f-b761-911e3edcfb94',
  project_id: 'p',
  creator_id: '8ca3',
  name: 'demo',
  secret_type: 'passphrase',
  status: 'ACTIVE',
  algorithm: null,
  bit_length: 256n,
  mode: null,
  expiration: null,
  content_type: 'text/plain',
  user_metadata: null,
  acl: null,
  payload_head: new Uint8Array(1),
  dek: new Uint8Array(1),
  created: new Date('2026-11-21T02:12:32.337Z'),
  updated: new Date('2026-11-21T02:12:32.338Z'),
  revision: 1n,
  epoch: 1n,
  seal: new Uint8Array(1),
};
const publicUrl = 'http://kms.example:9311';
const bare = { publicUrl, consumers: null };

it('shows exactly the keys that clients know, in their order', () => {
  expect(JSON.stringify(formatSecret(row, bare))).toBe(
    JSON.stringify({
      created: '2026-11-21T02:12:32.337000',
      updated: '2026-11-21T02:12:32.338000',
      status: 'ACTIVE',
      name: 'demo',
      secret_type: 'passphrase',
      expiration: null,
      algorithm: null,
      bit_length: 256,
      mode: null,
      creator_id: '8ca3',
      content_types: { default: 'text/plain' },
      secret_ref: 'http://kms.example:9311/v1/secrets/dcd327cc-56ea-478f-b761-911e3edcfb94',
    }),
  );
});

it('shows consumers where they were asked for, between the creator and the content types', () => {
  const consumers = [{ service: 'nova', resource_type: 'SERVER', resource_id: '1' }];
  const shown = formatSecret(row, { publicUrl, consumers });
  expect(Object.keys(shown).slice(-4)).toEqual(['creator_id', 'consumers', 'content_types', 'secret_ref']);
  expect(shown.consumers).toEqual(consumers);
});

it('shows no content types before there is a payload', () => {
  const empty = { ...row, content_type: null, payload_head: null, dek: null };
  expect(formatSecret(empty, bare)).not.toHaveProperty('content_types');
});

it('shows an end without a zone', () => {
  const ending = { ...row, expiration: new Date('2030-02-28T19:14:44.180Z') };
  expect(formatSecret(ending, bare).expiration).toBe('2030-02-28T19:14:44.180000');
});
