import type { StoreSetting } from './stores.ts';

/** A token, as the store of the kind pkcs11 uses it. */
export interface Pkcs11Settings {
  module: string;
  tokenLabel: string;
  pinFile: string;
  masterKey: string;
  mode: 'cached' | 'strict';
  sessions: number;
}

interface Pkcs11Values {
  stores?: readonly StoreSetting[] | undefined;
  pkcs11Module?: string | undefined;
  pkcs11Token?: string | undefined;
  pkcs11PinFile?: string | undefined;
  pkcs11MasterKey?: string | undefined;
  pkcs11Mode?: 'cached' | 'strict' | undefined;
  pkcs11Sessions?: number | undefined;
}

/** The settings of the token, which come together; undefined where none is named. */
export function readPkcs11(values: Pkcs11Values, problems: string[]): Pkcs11Settings | undefined {
  const { stores, pkcs11Module: module, pkcs11PinFile: pinFile } = values;
  const store = stores?.find(({ kind }) => kind === 'pkcs11');
  if (module === undefined && pinFile === undefined && store === undefined) return undefined;
  const why = store === undefined ? 'with a PKCS#11 token' : `for the store ${store.name} of COFFER_STORES`;
  if (module === undefined) problems.push(`COFFER_PKCS11_MODULE: is needed ${why}`);
  if (pinFile === undefined) problems.push(`COFFER_PKCS11_PIN_FILE: is needed ${why}`);
  const { pkcs11Token, pkcs11MasterKey, pkcs11Mode, pkcs11Sessions } = values;
  if (!module || !pinFile || !pkcs11Token || !pkcs11MasterKey || !pkcs11Mode || !pkcs11Sessions) {
    return undefined;
  }
  return {
    module,
    tokenLabel: pkcs11Token,
    pinFile,
    masterKey: pkcs11MasterKey,
    mode: pkcs11Mode,
    sessions: pkcs11Sessions,
  };
}
