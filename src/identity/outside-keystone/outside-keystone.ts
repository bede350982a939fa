import { createHash } from 'node:crypto';
import type { Coffer } from '../../coffer.ts';
import { CofferError } from '../../errors.ts';
import type { Authenticate } from '../../http/auth.ts';
import { authenticationRequired } from '../../http/errors.ts';
import type { Actor } from '../../policy/actor.ts';
import { createAskKeystone, keystoneUnavailable } from './keystone-http.ts';
import { createServiceSession, type ServiceUser } from './service-session.ts';
import { MalformedAnswer, readValidatedToken, type ValidatedToken } from './validated-token.ts';

export interface OutsideKeystone {
  /** Without a slash or a version at its end. */
  url: string;
  user: ServiceUser;
}

interface Entry extends ValidatedToken {
  /** By a clock that nobody sets back. */
  until: number;
}

const AGE_MAX_MS = 60_000;
const ENTRIES_MAX = 10_000;
const ASKED_AT_ONCE_MAX = 100;
/** Fernet, JWS and UUID tokens are of these characters; longer ones Keystone itself would not take. */
const TOKEN = /^[A-Za-z0-9_.=+/~-]{1,8192}$/;
/** Keystone shows a token with access rules only to who says that it enforces them. */
const ACCESS_RULES = { 'openstack-identity-access-rules': '1.0' };

type Parts = Pick<Coffer, 'keyring' | 'clock' | 'log'>;

/**
 * Who a token of another Keystone is of, by its word: kept for a minute, and never past the token's end.
 *
 * The result throws CofferError `unauthorized` for a token that Keystone does not know, and `unavailable`
 * where it does not say.
 */
export function authenticateOutside(parts: Parts, { url, user }: OutsideKeystone): Authenticate {
  const { clock, log, keyring } = parts;
  const ask = createAskKeystone(url);
  const session = createServiceSession(ask, user, log);
  const known = new Map<string, Entry>();
  const pending = new Map<string, Promise<Entry>>();

  const validate = async (token: string): Promise<ValidatedToken> => {
    for (let isLast = false; ; isLast = true) {
      const own = await session.token();
      const headers = { 'x-auth-token': own, 'x-subject-token': token, ...ACCESS_RULES };
      const { status, body } = await ask({ method: 'GET', path: '/v3/auth/tokens?nocatalog', headers });
      if (status === 404) throw refused();
      if (status === 200) return readValidatedToken(body);
      // Of our own token: one that ended is replaced once.
      if (status === 401) session.forget(own);
      if (status !== 401 || isLast) {
        log.error({ status }, 'Keystone did not say whose a token is');
        throw keystoneUnavailable();
      }
    }
  };

  const read = async (token: string, key: string): Promise<Entry> => {
    if (pending.size >= ASKED_AT_ONCE_MAX) throw keystoneUnavailable();
    const started = performance.now();
    const reading = validate(token)
      .then((validated) => {
        const entry = { ...validated, until: started + AGE_MAX_MS };
        keep(known, key, entry);
        return entry;
      })
      .catch((error: unknown) => {
        if (!(error instanceof MalformedAnswer)) throw error;
        log.error({ problem: error.message }, 'Keystone did not say whose a token is');
        throw keystoneUnavailable();
      })
      .finally(() => pending.delete(key));
    pending.set(key, reading);
    return await reading;
  };

  return async (token) => {
    if (!TOKEN.test(token)) throw refused();
    const key = createHash('sha256').update(token).digest('base64');
    const entry = known.get(key);
    const isCurrent = entry !== undefined && performance.now() < entry.until;
    if (!isCurrent) known.delete(key);
    const { actor, expires } = isCurrent ? entry : await (pending.get(key) ?? read(token, key));
    if (expires <= clock.now().getTime()) throw refused();
    await requireUsable(keyring, actor);
    return actor;
  };
}

/** A project that was made here, or is disabled or being deleted here, is none of the outside Keystone's. */
async function requireUsable(keyring: Coffer['keyring'], { projectId }: Actor): Promise<void> {
  if (projectId === null) return;
  const project = await keyring.findProject(projectId);
  if (project === undefined) return;
  if (project.origin !== 'external' || !project.enabled || project.deleted !== null) throw refused();
}

function keep(known: Map<string, Entry>, key: string, entry: Entry): void {
  const oldest = known.keys().next().value;
  if (known.size >= ENTRIES_MAX && oldest !== undefined) known.delete(oldest);
  known.set(key, entry);
}

function refused(): CofferError {
  return new CofferError('unauthorized', authenticationRequired);
}
