import { CofferError } from '../../errors.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';
const SUBJECT_TYPES = [JWT, 'urn:ietf:params:oauth:token-type:id_token'];
const ISSUED_TYPES = [ACCESS_TOKEN, JWT];

/** The error codes of RFC 6749 §5.2 and RFC 8693 §2.2.2 that we give. */
export type OauthCode =
  | 'invalid_request'
  | 'invalid_target'
  | 'unsupported_grant_type'
  | 'temporarily_unavailable';

/** An error as OAuth clients read it. */
export class OauthError extends Error {
  readonly code: OauthCode;

  constructor(code: OauthCode, description: string) {
    super(description);
    this.name = 'OauthError';
    this.code = code;
  }
}

export interface TokenExchange {
  jwt: string;
  audience: string | undefined;
}

/** The body of a token exchange (RFC 8693 §2.1), of which each parameter stands once. @throws OauthError */
export function parseTokenExchange(body: Uint8Array): TokenExchange {
  const parameters = readForm(body);
  const grant = parameters.get('grant_type');
  if (grant === undefined) throw new OauthError('invalid_request', 'grant_type is missing.');
  if (grant !== GRANT) throw new OauthError('unsupported_grant_type', `The one grant here is ${GRANT}.`);
  const jwt = parameters.get('subject_token');
  if (jwt === undefined) throw new OauthError('invalid_request', 'subject_token is missing.');
  if (!SUBJECT_TYPES.includes(parameters.get('subject_token_type') ?? '')) {
    throw new OauthError('invalid_request', `subject_token_type is ${SUBJECT_TYPES.join(' or ')}.`);
  }
  if (parameters.has('actor_token') || parameters.has('actor_token_type')) {
    throw new OauthError('invalid_request', 'Nobody acts for another here: leave out actor_token.');
  }
  if (!ISSUED_TYPES.includes(parameters.get('requested_token_type') ?? ACCESS_TOKEN)) {
    throw new OauthError('invalid_request', `requested_token_type is ${ACCESS_TOKEN}.`);
  }
  return { jwt, audience: parameters.get('audience') };
}

/** @throws OauthError */
function readForm(body: Uint8Array): Map<string, string> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new OauthError('invalid_request', 'The body is not UTF-8.');
  }
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (parameters.has(name)) throw new OauthError('invalid_request', 'A parameter is repeated.');
    // RFC 6749 §3.2: a parameter without a value is as if it were not there.
    if (value !== '') parameters.set(name, value);
  }
  return parameters;
}

/** What an exchange failed with, as an OAuth error; undefined for what no client can do anything about. */
export function asOauthError(error: unknown): OauthError | undefined {
  if (error instanceof OauthError) return error;
  if (!(error instanceof CofferError)) return undefined;
  const description = error.description ?? '';
  switch (error.code) {
    case 'unauthorized':
      // RFC 8693 §2.2.2 asks for this code where the subject token is not accepted.
      return new OauthError('invalid_request', 'The subject token is not accepted.');
    case 'unavailable':
      return new OauthError('temporarily_unavailable', description);
    case 'bad_request':
    case 'payload_too_large':
    case 'unsupported_media_type':
      return new OauthError('invalid_request', description);
    default:
      return undefined;
  }
}
