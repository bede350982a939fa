import { readFile } from 'node:fs/promises';
import type { FailureLog } from '../../http/failure-log.ts';
import { type AskKeystone, keystoneUnavailable } from './keystone-http.ts';

/** The user as whom Coffer asks Keystone about tokens. */
export interface ServiceUser {
  name: string;
  domain: string;
  project: string;
  projectDomain: string;
  /** Read at each log-in, so that a changed password needs no restart. */
  passwordFile: string;
}

export interface ServiceSession {
  /** @throws CofferError `unavailable` when there is none to be had. */
  token(): Promise<string>;
  /** Keystone no longer takes this one. */
  forget(token: string): void;
}

/** Keystone may lock a user out who tries too often. */
const LOGIN_EVERY_MS = 2_000;

/** Our own token: taken when it is needed, one log-in at a time, kept until Keystone refuses it. */
export function createServiceSession(
  ask: AskKeystone,
  user: ServiceUser,
  log: Pick<FailureLog, 'error'>,
): ServiceSession {
  let current: string | undefined;
  let pending: Promise<string> | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;

  const logIn = async (): Promise<string> => {
    const answer = await ask({
      method: 'POST',
      path: '/v3/auth/tokens?nocatalog',
      headers: { 'content-type': 'application/json' },
      body: await loginBody(user),
    });
    if (answer.status !== 201 || !answer.subjectToken) {
      log.error({ status: answer.status }, 'Keystone gave the service user of COFFER_KEYSTONE_USER no token');
      throw keystoneUnavailable();
    }
    current = answer.subjectToken;
    return current;
  };

  return {
    token: async () => {
      if (current !== undefined) return current;
      if (pending === undefined) {
        if (performance.now() - triedAt < LOGIN_EVERY_MS) throw keystoneUnavailable();
        triedAt = performance.now();
        pending = logIn().finally(() => {
          pending = undefined;
        });
      }
      return await pending;
    },
    forget: (token) => {
      if (current === token) current = undefined;
    },
  };
}

async function loginBody({
  name,
  domain,
  project,
  projectDomain,
  passwordFile,
}: ServiceUser): Promise<string> {
  const password = await readPassword(passwordFile);
  return JSON.stringify({
    auth: {
      identity: { methods: ['password'], password: { user: { name, domain: { name: domain }, password } } },
      scope: { project: { name: project, domain: { name: projectDomain } } },
    },
  });
}

async function readPassword(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    throw keystoneUnavailable(error);
  }
}
