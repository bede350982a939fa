// Return values of PKCS#11 v2.40, appendix B, by name: what they say about the token.

/** The token, or this process's hold on it, is not what it was: a new process begins afresh. */
export class InvalidatedToken extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidatedToken';
  }
}

const PIN_REFUSED = new Set([
  'CKR_PIN_INCORRECT',
  'CKR_PIN_INVALID',
  'CKR_PIN_LEN_RANGE',
  'CKR_PIN_EXPIRED',
  'CKR_PIN_LOCKED',
  'CKR_USER_PIN_NOT_INITIALIZED',
]);

/** What a wrong tag or AAD is answered with by one module or another (SoftHSM 2: CKR_GENERAL_ERROR). */
const AMBIGUOUS = new Set([
  'CKR_GENERAL_ERROR',
  'CKR_FUNCTION_FAILED',
  'CKR_ENCRYPTED_DATA_INVALID',
  'CKR_ENCRYPTED_DATA_LEN_RANGE',
  'CKR_DATA_INVALID',
  'CKR_AEAD_DECRYPT_FAILED',
  'CKR_SIGNATURE_INVALID',
]);

const TRANSIENT = new Set([
  'CKR_GENERAL_ERROR',
  'CKR_FUNCTION_FAILED',
  'CKR_HOST_MEMORY',
  'CKR_DEVICE_ERROR',
  'CKR_DEVICE_MEMORY',
  'CKR_DEVICE_REMOVED',
  'CKR_TOKEN_NOT_PRESENT',
  'CKR_TOKEN_NOT_RECOGNIZED',
  'CKR_SLOT_ID_INVALID',
  'CKR_SESSION_CLOSED',
  'CKR_SESSION_HANDLE_INVALID',
  'CKR_SESSION_COUNT',
  'CKR_OBJECT_HANDLE_INVALID',
  'CKR_KEY_HANDLE_INVALID',
  'CKR_USER_NOT_LOGGED_IN',
  'CKR_CRYPTOKI_NOT_INITIALIZED',
  'CKR_OPERATION_ACTIVE',
  'CKR_OPERATION_NOT_INITIALIZED',
  'CKR_FUNCTION_CANCELED',
  'CKR_MUTEX_BAD',
]);

/** `CKR_…`; the message of any other error. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}

export function isPinRefused(error: unknown): boolean {
  return PIN_REFUSED.has(nameOf(error));
}

export function isAmbiguous(error: unknown): boolean {
  return AMBIGUOUS.has(nameOf(error));
}

export function isTransient(error: unknown): boolean {
  return TRANSIENT.has(nameOf(error));
}
