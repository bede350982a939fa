import { checkAddress } from './address.ts';
import { CofferError } from './coffer-error.ts';
import type { ApplicationCredentials } from './credentials.ts';
import { send, type TransportOptions } from './transport.ts';

/** Where to redeem a code, when not at the address that it carries. */
export interface RedemptionOptions extends TransportOptions {
  url?: string | undefined;
  /** Allows plain http to a machine other than this one. */
  allowInsecure?: boolean | undefined;
}

/** What a code was redeemed for: credentials for the server that was asked. */
export interface RedeemedCredentials extends ApplicationCredentials {
  id: string;
  url: string;
  name: string;
  projectId: string;
  /** Null for never. */
  expiresAt: Date | null;
}

const form = /^(cofr_[A-Za-z0-9_-]{49})(?:@(https?:\/\/\S+))?$/;

/**
 * Exchanges a code of `coffer app create` for the application credential that it stands for. It is sent once:
 * a second redemption revokes the credential. Throws `CofferError`: `not_found` for a code that is unknown or
 * expired, `conflict` for one that was redeemed before.
 */
export async function redeemCode(
  text: string,
  options: RedemptionOptions = {},
): Promise<RedeemedCredentials> {
  const [, code, ownUrl] = form.exec(text.trim()) ?? [];
  if (code === undefined) {
    throw new CofferError(
      'bad_request',
      'that is no code: it begins with cofr_ and may end with @ and a URL',
    );
  }
  const given = options.url ?? ownUrl;
  if (given === undefined) throw new CofferError('configuration', 'the address of the server is missing');
  const allowInsecure = options.allowInsecure ?? false;
  const url = checkAddress(given, 'url', allowInsecure);
  const call = {
    method: 'POST',
    url: `${url}/v2/redemptions`,
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
    idempotent: false,
  } as const;
  // whether it arrived is not known when no answer comes: sent again, it would revoke
  const answer = await send(call, { ...options, retries: 0 });
  const { id, name, secret, project_id, expires_at } = parse(answer.bytes);
  if (!id || !secret || !/^[\x21-\x7e]+$/.test(id + secret)) {
    throw new CofferError('protocol', 'the server answered with something that is no credential');
  }
  const expiresAt = expires_at ? new Date(`${expires_at}Z`) : null;
  const more = { name: name ?? id, projectId: project_id ?? '', expiresAt };
  return { type: 'application_credential', id, secret, url, allowInsecure, ...more };
}

function parse(bytes: Uint8Array): Record<string, string | undefined> {
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof body === 'object' && body !== null) return body as Record<string, string | undefined>;
  } catch {
    // it has no field either
  }
  return {};
}
