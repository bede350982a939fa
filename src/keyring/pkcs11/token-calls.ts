import { randomBytes } from 'node:crypto';
import { SUITES, wipe } from '../../crypto/envelope.ts';
import { CofferError } from '../../errors.ts';
import { describeToken } from './describe-token.ts';
import type { TokenCall, TokenCalls, TokenUse } from './messages.ts';
import type { Token } from './token.ts';

const KEK_BYTES = 32;
const OBJECT_ID_BYTES = 16;

type Answers = {
  [C in TokenUse]: (token: Token, asked: TokenCalls[C]['asked']) => Promise<TokenCalls[C]['answer']>;
};

/** What the token's process does when asked (FORMAT.md §2.4 and §2.5). */
const answers: Answers = {
  makeKek: async (token, { masterKey, context }) => {
    const key = await token.random(KEK_BYTES);
    const sealed = await token.encrypt(await token.findMasterKey(masterKey), key, context);
    return { key, wrapped: withSuite(SUITES.tokenWrappedKey, sealed) };
  },
  openKek: async (token, { masterKey, wrapped, context }) => {
    const sealed = withoutSuite(SUITES.tokenWrappedKey, wrapped);
    return requireLength(
      KEK_BYTES,
      await token.decrypt(await token.findMasterKey(masterKey), sealed, context),
    );
  },
  makeTokenKek: async (token, { masterKey, context }) => {
    const objectId = randomBytes(OBJECT_ID_BYTES);
    // The reference first: a KEK that nothing refers to would stay in the token for ever.
    const sealed = await token.encrypt(await token.findMasterKey(masterKey), objectId, context);
    await token.makeKek(objectId);
    return { objectId, wrapped: withSuite(SUITES.tokenKeyReference, sealed) };
  },
  openTokenKek: async (token, asked) => {
    const objectId = await openReference(token, asked);
    await token.findKek(objectId);
    return objectId;
  },
  rewrapKek: async (token, { from, wrapped, to }) => {
    const suite = wrapped[0] === SUITES.tokenKeyReference ? SUITES.tokenKeyReference : SUITES.tokenWrappedKey;
    const bytes = suite === SUITES.tokenKeyReference ? OBJECT_ID_BYTES : KEK_BYTES;
    const old = await token.findMasterKey(from.masterKeyId);
    const opened = await token.decrypt(old, withoutSuite(suite, wrapped), from.context);
    try {
      requireLength(bytes, opened);
      const next = await token.findMasterKey(to.masterKeyId);
      return withSuite(suite, await token.encrypt(next, opened, to.context));
    } finally {
      wipe(opened);
    }
  },
  destroyTokenKek: async (token, asked) => {
    await token.destroyKek(await openReference(token, asked));
    return null;
  },
  listTokenKeks: async (token) => await token.listKeks(),
  readReference: async (token, asked) => await openReference(token, asked),
  destroyObject: async (token, { objectId }) => {
    await token.destroyKek(objectId);
    return null;
  },
  wrap: async (token, { objectId, key, context }) => {
    try {
      const sealed = await token.encrypt(await token.findKek(objectId), key, context);
      return withSuite(SUITES.tokenWrappedKey, sealed);
    } finally {
      wipe(key);
    }
  },
  unwrap: async (token, { objectId, wrapped, context }) => {
    const sealed = withoutSuite(SUITES.tokenWrappedKey, wrapped);
    return requireLength(KEK_BYTES, await token.decrypt(await token.findKek(objectId), sealed, context));
  },
  check: async (token, { masterKey }) => {
    await token.probe(await token.findMasterKey(masterKey));
    return null;
  },
  makeMasterKey: async (token, { label }) => {
    if ((await token.listMasterKeys()).includes(label)) {
      throw new CofferError('conflict', `The token has a key labelled '${label}' already.`);
    }
    await token.probe(await token.makeMasterKey(label));
    return null;
  },
  destroyMasterKey: async (token, { label }) => {
    await token.destroyMasterKey(label);
    return null;
  },
  listMasterKeys: async (token) => await token.listMasterKeys(),
  describe: async (token, { masterKey }) => await describeToken(token, masterKey),
};

export async function answerCall(
  token: Token,
  call: TokenUse,
  asked: TokenCalls[TokenCall]['asked'],
): Promise<unknown> {
  const answer = answers[call] as (token: Token, asked: unknown) => Promise<unknown>;
  return await answer(token, asked);
}

/** Wipes what an answer holds, once it was sent. */
export function wipeAnswer(answer: unknown): void {
  if (answer instanceof Uint8Array) wipe(answer);
  else if (typeof answer === 'object' && answer !== null) Object.values(answer).forEach(wipeAnswer);
}

async function openReference(
  token: Token,
  { masterKey, wrapped, context }: TokenCalls['openTokenKek']['asked'],
): Promise<Uint8Array> {
  const sealed = withoutSuite(SUITES.tokenKeyReference, wrapped);
  const opened = await token.decrypt(await token.findMasterKey(masterKey), sealed, context);
  return requireLength(OBJECT_ID_BYTES, opened);
}

function withSuite(suite: number, sealed: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(suite), sealed]);
}

function withoutSuite(suite: number, stored: Uint8Array): Uint8Array {
  if (stored[0] !== suite) throw violated();
  return stored.subarray(1);
}

function requireLength(bytes: number, opened: Uint8Array): Uint8Array {
  if (opened.length === bytes) return opened;
  wipe(opened);
  throw violated();
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
