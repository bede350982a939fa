import { expect, it } from 'vitest';
import { asCofferError } from '../../src/db/failures.ts';
import { CofferError, type ErrorCode } from '../../src/errors.ts';
import { asHttpFailure } from '../../src/http/error-handler.ts';
import { errorReply, MethodNotAllowed, MiddlewareRefusal, outcomes } from '../../src/http/errors.ts';
import { describeError } from '../../src/http/failure-log.ts';

const identityUrl = 'https://kms.example/identity';
const v1 = { surface: 'v1', accept: undefined, identityUrl } as const;

it.each(Object.keys(outcomes) as ErrorCode[])(
  'answers %s with a status, a title and valid JSON on each surface',
  (code) => {
    for (const surface of ['root', 'v1', 'v2', 'identity', 'other'] as const) {
      const reply = errorReply(new CofferError(code, 'said "so"'), { ...v1, surface });
      expect(reply.status).toBeGreaterThanOrEqual(400);
      const body = JSON.parse(reply.body) as { code?: number; error?: { code: number; title: string } };
      expect(body.code ?? body.error?.code).toBe(reply.status);
    }
  },
);

it('keeps a null description and an empty one apart', () => {
  expect(JSON.parse(errorReply(new CofferError('not_acceptable', null), v1).body)).toEqual({
    code: 406,
    title: 'Not Acceptable',
    description: null,
  });
  expect(JSON.parse(errorReply(new MethodNotAllowed(['GET', 'PUT']), v1).body).description).toBe('');
  expect(errorReply(new MethodNotAllowed(['GET', 'PUT']), v1).headers.allow).toBe('GET, PUT');
});

it('says when to repeat and how to log in', () => {
  expect(
    errorReply(new CofferError('unavailable', '', { retryAfterSeconds: 30 }), v1).headers['retry-after'],
  ).toBe('30');
  expect(errorReply(new CofferError('unavailable', ''), v1).headers['retry-after']).toBe('1');
  expect(errorReply(new CofferError('unauthorized', ''), v1).headers['www-authenticate']).toBe(
    'Keystone uri="https://kms.example/identity"',
  );
});

it('never shows what is wrong with the configuration', () => {
  expect(
    errorReply(new CofferError('configuration', 'the file /secret/keys is empty'), v1).body,
  ).not.toContain('keys');
});

it('speaks as the middleware did where the middleware spoke', () => {
  const refusal = new MiddlewareRefusal('bad_request', 'no');
  expect(JSON.parse(errorReply(refusal, v1).body)).toEqual({
    message: 'no',
    code: '400 Bad Request',
    title: 'Bad Request',
  });
  expect(errorReply(refusal, { ...v1, accept: 'text/html' }).body).toBe('400 Bad Request\n\nno\n');
});

it('takes what it does not know for a bug, whatever status it claims', () => {
  for (const error of [
    new Error('x'),
    Object.assign(new Error('x'), { statusCode: 404 }),
    'text',
    null,
    undefined,
    { code: 'not_found' },
  ]) {
    expect(asHttpFailure(error)).toMatchObject({ code: 'internal' });
    expect(asHttpFailure(error).message).not.toContain('x is');
  }
});

it('maps the framework and its validation to codes of ours', () => {
  const framework = (code: string, statusCode: number) =>
    Object.assign(new Error('detail'), { code, statusCode });
  expect(asHttpFailure(framework('FST_ERR_CTP_INVALID_MEDIA_TYPE', 415)).code).toBe('unsupported_media_type');
  expect(asHttpFailure(framework('FST_ERR_BAD_URL', 400))).toMatchObject({
    code: 'bad_request',
    message: 'The request is malformed.',
  });
  expect(asHttpFailure(framework('FST_ERR_SOMETHING', 500)).code).toBe('internal');
  expect(asHttpFailure(Object.assign(new Error('params/a must be'), { validation: [] })).code).toBe(
    'bad_request',
  );
});

it('describes an error without what it may quote', () => {
  const parser = (() => {
    try {
      return JSON.parse('5up3rs3cr3t');
    } catch (error) {
      return error;
    }
  })();
  const driver = Object.assign(new Error('invalid input: "5up3rs3cr3t"'), {
    code: '22P02',
    detail: '5up3rs3cr3t',
  });
  const outer = new Error('while storing', { cause: driver });
  const text = JSON.stringify(
    [parser, driver, outer, new CofferError('internal', 'shown', { cause: parser })].map((error) =>
      describeError(error),
    ),
  );
  expect(text).not.toContain('5up3rs3cr3t');
  expect(text).toContain('while storing');
  expect(text).toContain('shown');
  expect(text).toContain('errors.test.ts');
  const circle = new Error('round');
  circle.cause = circle;
  expect(JSON.stringify(describeError(circle)).length).toBeLessThan(50_000);
});

const database = (code: string, message = 'value 5up3rs3cr3t') =>
  Object.assign(new Error(message), {
    code,
    detail: 'Key (name)=(5up3rs3cr3t) exists.',
    where: '5up3rs3cr3t',
  });

it.each([
  ['08006', 'unavailable'],
  ['57P01', 'unavailable'],
  ['57P03', 'unavailable'],
  ['25006', 'unavailable'],
  ['53300', 'unavailable'],
  ['40001', 'unavailable'],
  ['40P01', 'unavailable'],
  ['55P03', 'unavailable'],
  ['57014', 'unavailable'],
  ['ECONNREFUSED', 'unavailable'],
  ['ECONNRESET', 'unavailable'],
  ['ETIMEDOUT', 'unavailable'],
  ['23505', 'conflict'],
  ['22021', 'bad_request'],
  ['22P02', 'bad_request'],
])('takes %s of the database for %s, and keeps its values to itself', (state, code) => {
  const error = asCofferError(database(state)) as CofferError;
  expect(error).toMatchObject({ code });
  expect(JSON.stringify([error.message, describeError(error), (error.cause as Error).message])).not.toContain(
    '5up3rs3cr3t',
  );
  if (code === 'unavailable') expect(errorReply(error, v1).headers['retry-after']).toBe('1');
});

it('takes any other failure of the database for a bug, and errors of ours as they are', () => {
  for (const state of ['23503', '23514', '42P01', '42501', 'XX000']) {
    const error = asCofferError(database(state));
    expect(error).not.toBeInstanceOf(CofferError);
    expect(JSON.stringify(describeError(error))).not.toContain('5up3rs3cr3t');
  }
  for (const message of [
    'timeout exceeded when trying to connect',
    'Connection terminated unexpectedly',
    'Query read timeout',
  ]) {
    expect(asCofferError(new Error(message))).toMatchObject({ code: 'unavailable' });
  }
  const own = new CofferError('not_found', 'Secret not found.');
  expect(asCofferError(own)).toBe(own);
});
