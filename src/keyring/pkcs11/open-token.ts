import type { CryptoBackend } from '../backend.ts';
import { createPkcs11Backend, type Pkcs11Mode } from './pkcs11-backend.ts';
import type { TokenAddress } from './messages.ts';
import { TokenClient, type TokenLog } from './token-client.ts';

export interface TokenStore extends TokenAddress {
  masterKey: string;
  mode: Pkcs11Mode;
}

/** The token as a secret store. Its process starts at the first use. */
export function openToken(store: string, token: TokenStore, log: TokenLog): CryptoBackend {
  const { masterKey, mode, ...address } = token;
  return createPkcs11Backend({ store, mode, masterKey, client: new TokenClient({ address, log }) });
}
