import { randomBytes } from 'node:crypto';
import type * as pkcs11js from 'pkcs11js';
import { wipe } from '../../crypto/envelope.ts';
import { CofferError } from '../../errors.ts';
import { KEK_LABEL, type TokenAddress, type TokenDescription } from './messages.ts';
import { InvalidatedToken, isAmbiguous, isTransient, nameOf } from './token-failures.ts';

/** The names and numbers of `pkcs11js`, loaded when a token is used. */
export type Cryptoki = typeof pkcs11js;
type Handle = pkcs11js.Handle;
type PKCS11 = pkcs11js.PKCS11;
type Template = pkcs11js.Template;

const IV_BYTES = 12;
const TAG_BYTES = 16;
const PROBE = Buffer.from('coffer: is the token there?');
const FOUND_MAX = 1_000;
/** CK_UNAVAILABLE_INFORMATION, as `pkcs11js` gives it: the token does not say. */
const UNAVAILABLE_INFORMATION = 0xffff_ffff;

/** A session of PKCS#11 v2.40, one operation at a time. */
type Session = Handle;

/**
 * A token: a fixed pool of sessions, each lent for one operation, and AES-256-GCM (SP 800-38D) inside
 * it.
 */
export class Token {
  readonly slot: Handle;
  /** A wrong PIN was shown to the token since the last log-in. */
  readonly isWrongPinNoted: boolean;
  readonly #cryptoki: Cryptoki;
  readonly #module: PKCS11;
  readonly #idle: Session[] = [];
  readonly #waiting: ((session: Session) => void)[] = [];
  readonly #keys = new Map<string, Handle>();
  readonly #probes = new Map<string, Buffer>();

  /** @throws what `pkcs11js` throws: `describeFailure` says what it means. */
  constructor(cryptoki: Cryptoki, module: PKCS11, address: TokenAddress) {
    this.#cryptoki = cryptoki;
    this.#module = module;
    const { slot, flags } = findSlot(module, address.tokenLabel);
    refuseDangerousPin(cryptoki, flags);
    this.slot = slot;
    this.isWrongPinNoted = (flags & cryptoki.CKF_USER_PIN_COUNT_LOW) !== 0;
    for (let n = 0; n < address.sessions; n += 1) this.#idle.push(this.#openSession());
  }

  /** One of them logs them all in, and nothing fails here but the log-in. */
  logIn(pin: string): void {
    const [session] = this.#idle;
    if (session === undefined) throw new InvalidatedToken('it has no session');
    this.#module.C_Login(session, this.#cryptoki.CKU_USER, pin);
  }

  /** `IV (12) ‖ ciphertext ‖ tag (16)`. The IV is random, or the one that the module made in its place. */
  async encrypt(key: Handle, plaintext: Uint8Array, context: Uint8Array): Promise<Buffer> {
    const iv = randomBytes(IV_BYTES);
    const copy = Buffer.from(plaintext);
    try {
      const sealed = await this.#withSession(async (session) => {
        this.#module.C_EncryptInit(session, this.#gcm(iv, context), key);
        const room = Buffer.alloc(copy.length + TAG_BYTES);
        return await this.#module.C_EncryptAsync(session, copy, room);
      });
      return Buffer.concat([iv, sealed]);
    } finally {
      wipe(copy);
    }
  }

  /** @throws CofferError `integrity_violation` for what `encrypt` did not make with this key and context. */
  async decrypt(key: Handle, sealed: Uint8Array, context: Uint8Array): Promise<Buffer> {
    if (sealed.length < IV_BYTES + TAG_BYTES + 1) throw violated();
    const iv = Buffer.from(sealed.subarray(0, IV_BYTES));
    const ciphertext = Buffer.from(sealed.subarray(IV_BYTES));
    try {
      return await this.#withSession(async (session) => {
        this.#module.C_DecryptInit(session, this.#gcm(iv, context), key);
        return await this.#module.C_DecryptAsync(session, ciphertext, Buffer.alloc(ciphertext.length));
      });
    } catch (error) {
      if (!isAmbiguous(error)) throw error;
      // A wrong tag and a token that went away can look the same: one that still works tells them apart.
      await this.probe(key);
      throw violated();
    }
  }

  /** Decrypts a known text, encrypted once: an encryption each time would use up what the key may do. */
  async probe(key: Handle): Promise<void> {
    const name = key.toString('hex');
    const known = this.#probes.get(name);
    if (known !== undefined && (await this.#opensProbe(key, known))) return;
    const made = await this.encrypt(key, PROBE, PROBE);
    if (!(await this.#opensProbe(key, made))) {
      throw new InvalidatedToken('it does not decrypt what it encrypted');
    }
    this.#probes.set(name, made);
  }

  async #opensProbe(key: Handle, encrypted: Buffer): Promise<boolean> {
    try {
      const opened = await this.#withSession(async (session) => {
        this.#module.C_DecryptInit(session, this.#gcm(encrypted.subarray(0, IV_BYTES), PROBE), key);
        const rest = Buffer.from(encrypted.subarray(IV_BYTES));
        return await this.#module.C_DecryptAsync(session, rest, Buffer.alloc(rest.length));
      });
      return opened.equals(PROBE);
    } catch (error) {
      // A handle may stand for another key by now; a token that is away says so when it is asked to encrypt.
      if (!isAmbiguous(error)) throw error;
      return false;
    }
  }

  async random(bytes: number): Promise<Buffer> {
    return await this.#withSession(async (session) =>
      this.#module.C_GenerateRandom(session, Buffer.alloc(bytes)),
    );
  }

  /** @throws CofferError `integrity_violation` when there is none, `configuration` when there are several. */
  async findMasterKey(label: string): Promise<Handle> {
    // The database names it, and may name what is none.
    if (label === KEK_LABEL) throw violated();
    return await this.#findOne(`mk ${label}`, this.#masterKeyTemplate(label));
  }

  async findKek(objectId: Uint8Array): Promise<Handle> {
    const id = Buffer.from(objectId);
    return await this.#findOne(`kek ${id.toString('hex')}`, this.#kekTemplate(id));
  }

  async makeKek(objectId: Uint8Array): Promise<Handle> {
    const ck = this.#cryptoki;
    const id = Buffer.from(objectId);
    return await this.#generateKey([...this.#kekTemplate(id), { type: ck.CKA_PRIVATE, value: true }]);
  }

  /** Nothing is left of it in the token. One that is gone already is no error. */
  async destroyKek(objectId: Uint8Array): Promise<void> {
    const id = Buffer.from(objectId);
    await this.#destroy(`kek ${id.toString('hex')}`, this.#kekTemplate(id));
  }

  /** The CKA_ID of every KEK of strict mode. */
  async listKeks(): Promise<Buffer[]> {
    const ck = this.#cryptoki;
    const handles = await this.#find([
      { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
      { type: ck.CKA_LABEL, value: KEK_LABEL },
    ]);
    return await this.#withSession(async (session) =>
      handles.map((handle) => {
        const [id] = this.#module.C_GetAttributeValue(session, handle, [{ type: ck.CKA_ID }]);
        return Buffer.from(id?.value ?? '');
      }),
    );
  }

  async makeMasterKey(label: string): Promise<Handle> {
    const ck = this.#cryptoki;
    return await this.#generateKey([
      ...this.#masterKeyTemplate(label),
      { type: ck.CKA_ID, value: Buffer.from(label) },
      { type: ck.CKA_PRIVATE, value: true },
    ]);
  }

  /** Nothing is left of it in the token. One that is gone already is no error. */
  async destroyMasterKey(label: string): Promise<void> {
    await this.#destroy(`mk ${label}`, this.#masterKeyTemplate(label));
  }

  /** The labels of the keys that could be master keys: not the KEKs. */
  async listMasterKeys(): Promise<string[]> {
    const ck = this.#cryptoki;
    const handles = await this.#find([
      { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
      { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
      { type: ck.CKA_SENSITIVE, value: true },
    ]);
    const labels = await this.#withSession(async (session) =>
      handles.map((handle) => {
        const [label] = this.#module.C_GetAttributeValue(session, handle, [{ type: ck.CKA_LABEL }]);
        return String(label?.value ?? '');
      }),
    );
    return labels.filter((label) => label !== KEK_LABEL).sort();
  }

  readInformation(): Omit<TokenDescription, 'masterKeys' | 'hasActiveMasterKey' | 'latency'> {
    const ck = this.#cryptoki;
    const { manufacturerID, model, serialNumber, firmwareVersion, maxSessionCount, sessionCount } =
      this.#module.C_GetTokenInfo(this.slot);
    const there = new Set(this.#module.C_GetMechanismList(this.slot));
    const isSaid = (count: number): boolean => count !== 0 && count !== UNAVAILABLE_INFORMATION;
    return {
      manufacturer: manufacturerID.trim(),
      model: model.trim(),
      serialNumber: serialNumber.trim(),
      firmware: `${firmwareVersion.major}.${firmwareVersion.minor}`,
      mechanisms: {
        CKM_AES_KEY_GEN: there.has(ck.CKM_AES_KEY_GEN),
        CKM_AES_GCM: there.has(ck.CKM_AES_GCM),
      },
      sessionsMax: isSaid(maxSessionCount) ? maxSessionCount : null,
      sessionsOpen: isSaid(sessionCount) ? sessionCount : null,
    };
  }

  #openSession(): Session {
    const { CKF_SERIAL_SESSION, CKF_RW_SESSION } = this.#cryptoki;
    return this.#module.C_OpenSession(this.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION);
  }

  /** A session in which something failed may hold half an operation: it is closed, and another opened. */
  async #withSession<T>(use: (session: Session) => Promise<T>): Promise<T> {
    let session = this.#idle.pop() ?? (await new Promise<Session>((resolve) => this.#waiting.push(resolve)));
    try {
      return await use(session);
    } catch (error) {
      this.#closeQuietly(session);
      session = this.#openSession();
      throw error;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(session);
      else next(session);
    }
  }

  #closeQuietly(session: Session): void {
    try {
      this.#module.C_CloseSession(session);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // It is gone already, as it should be; what failed before is what is reported.
    }
  }

  #gcm(iv: Buffer, context: Uint8Array): pkcs11js.Mechanism {
    const { CKM_AES_GCM, CK_PARAMS_AES_GCM } = this.#cryptoki;
    const aad = Buffer.from(context);
    const parameter = { type: CK_PARAMS_AES_GCM, iv, ivBits: 8 * IV_BYTES, aad, tagBits: 8 * TAG_BYTES };
    return { mechanism: CKM_AES_GCM, parameter };
  }

  #kekTemplate(id: Buffer): Template {
    const ck = this.#cryptoki;
    return [
      { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
      { type: ck.CKA_LABEL, value: KEK_LABEL },
      { type: ck.CKA_ID, value: id },
    ];
  }

  #masterKeyTemplate(label: string): Template {
    const ck = this.#cryptoki;
    return [
      { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
      { type: ck.CKA_LABEL, value: label },
    ];
  }

  async #generateKey(named: Template): Promise<Handle> {
    const ck = this.#cryptoki;
    const template = [
      ...named,
      { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
      { type: ck.CKA_VALUE_LEN, value: 32 },
      { type: ck.CKA_TOKEN, value: true },
      { type: ck.CKA_SENSITIVE, value: true },
      { type: ck.CKA_EXTRACTABLE, value: false },
      { type: ck.CKA_ENCRYPT, value: true },
      { type: ck.CKA_DECRYPT, value: true },
    ];
    return await this.#withSession(async (session) =>
      this.#module.C_GenerateKey(session, { mechanism: ck.CKM_AES_KEY_GEN }, template),
    );
  }

  /** The handle is remembered as long as this process lives; a token that comes back meets a new process. */
  async #findOne(name: string, template: Template): Promise<Handle> {
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const [handle, ...others] = await this.#find(template);
    if (handle === undefined) throw violated();
    if (others.length > 0) {
      throw new CofferError('configuration', `The token has several keys called '${name}'.`);
    }
    this.#keys.set(name, handle);
    return handle;
  }

  async #destroy(name: string, template: Template): Promise<void> {
    for (const handle of await this.#find(template)) {
      await this.#withSession(async (session) => this.#module.C_DestroyObject(session, handle));
    }
    this.#keys.delete(name);
  }

  async #find(template: Template): Promise<Handle[]> {
    return await this.#withSession(async (session) => {
      this.#module.C_FindObjectsInit(session, template);
      const found: Handle[] = [];
      for (let isLast = false; !isLast; ) {
        const some = this.#module.C_FindObjects(session, FOUND_MAX);
        found.push(...some);
        isLast = some.length === 0;
      }
      this.#module.C_FindObjectsFinal(session);
      return found;
    });
  }
}

/** What a failure in the module means to whoever asked. */
export function describeFailure(error: unknown): Error {
  if (error instanceof CofferError || error instanceof InvalidatedToken) return error;
  if (!isTransient(error)) {
    return error instanceof Error ? error : new Error('the module threw what is no error');
  }
  return new InvalidatedToken(nameOf(error));
}

function findSlot(module: PKCS11, label: string): { slot: Handle; flags: number } {
  const labels: string[] = [];
  for (const slot of module.C_GetSlotList(true)) {
    const information = module.C_GetTokenInfo(slot);
    if (information.label.trim() === label) return { slot, flags: information.flags };
    labels.push(information.label.trim());
  }
  const there = labels.filter((name) => name !== '').join(', ') || 'none';
  throw new InvalidatedToken(`no token is labelled '${label}'; there are: ${there}`);
}

/** Modules wipe themselves after a few wrong PINs: the last try is a person's. */
function refuseDangerousPin(cryptoki: Cryptoki, flags: number): void {
  const { CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED } = cryptoki;
  if ((flags & CKF_USER_PIN_LOCKED) !== 0) {
    throw new CofferError(
      'configuration',
      'The PIN of the token is locked: its security officer unlocks it.',
    );
  }
  if ((flags & CKF_USER_PIN_FINAL_TRY) !== 0) {
    const message = 'The token has one try of its PIN left, which is not taken: log in once by its own tool.';
    throw new CofferError('configuration', message);
  }
}

function violated(): CofferError {
  return new CofferError('integrity_violation', 'Integrity Violation');
}
