import { connect } from 'node:net';
import { ask, asJson, type Answer } from '../serve/ask.ts';
import type { CanaryValues } from './canary-values.ts';

/** Uses a server rightly and wrongly, every secret input a canary, and keeps all that it was answered. */
export class Visitor {
  readonly answers: string[] = [];
  readonly #url: string;
  readonly #port: number;
  readonly #token: string;
  readonly #canaries: CanaryValues;

  constructor(url: string, port: number, token: string, canaries: CanaryValues) {
    this.#url = url;
    this.#port = port;
    this.#token = token;
    this.#canaries = canaries;
  }

  /** Payloads in every form that a client may give them in; each is read back, and comes back as it was. */
  async storeAndRead(): Promise<void> {
    const text = this.#canaries.text('a text payload');
    const bytes = this.#canaries.bytes('a payload in base64');
    const uploaded = this.#canaries.bytes('an uploaded payload');
    const typed = this.#canaries.text('an uploaded text');
    const encoded = this.#canaries.bytes('a payload uploaded in base64');
    const binary = { payload_content_type: 'application/octet-stream', payload_content_encoding: 'base64' };
    const upload = async (body: Buffer | string, headers: Record<string, string>): Promise<string> => {
      const reference = await this.#store({ name: 'uploaded' });
      const answer = await this.#ask(reference, { method: 'PUT', headers, body: body as string });
      if (answer.status !== 204) throw new Error(`upload: ${answer.status} ${answer.text}`);
      return reference;
    };
    const octets = 'application/octet-stream';
    const stored: [string, Buffer | string][] = [
      [await this.#store({ payload: text, payload_content_type: 'text/plain' }), text],
      [await this.#store({ payload: bytes.toString('base64'), ...binary }), bytes],
      [await upload(uploaded, { 'content-type': octets }), uploaded],
      [await upload(typed, { 'content-type': 'text/plain' }), typed],
      [
        await upload(encoded.toString('base64'), { 'content-type': octets, 'content-encoding': 'base64' }),
        encoded,
      ],
    ];
    for (const [reference, payload] of stored) {
      const headers = {
        'x-auth-token': this.#token,
        accept: typeof payload === 'string' ? 'text/plain' : octets,
      };
      const response = await fetch(`${reference}/payload`, { headers });
      const read = Buffer.from(await response.arrayBuffer());
      if (!read.equals(Buffer.from(payload as string)))
        throw new Error(`${response.status} for ${reference}`);
      this.answers.push(JSON.stringify([...response.headers]));
    }
    const paths = ['/v1/secrets', '/v1/secrets?limit=1', '/v1'].map((path) => `${this.#url}${path}`);
    for (const url of [...stored.map(([reference]) => reference), ...paths]) await this.#ask(url);
  }

  /** Keys that the server makes, and the passphrase that it is given for one. */
  async order(): Promise<void> {
    const passphrase = this.#canaries.text('the passphrase of an order');
    for (const [type, more] of [
      ['key', { algorithm: 'aes', bit_length: 256 }],
      ['asymmetric', { algorithm: 'ec', bit_length: 256 }],
      ['asymmetric', { algorithm: 'ec', bit_length: 256, passphrase }],
    ] as const) {
      const { json } = await this.#ask(`${this.#url}/v1/orders`, asJson({ type, meta: more }));
      let order: Answer;
      do order = await this.#ask(json.order_ref);
      while (order.json.status === 'PENDING');
      const box = type === 'key' ? undefined : await this.#ask(order.json.container_ref);
      const slots = (box?.json.secret_refs ?? []) as { name: string; secret_ref: string }[];
      const made = slots.find(({ name }) => name === 'private_key')?.secret_ref ?? order.json.secret_ref;
      const headers = { 'x-auth-token': this.#token };
      const bytes = Buffer.from(await (await fetch(`${made}/payload`, { headers })).arrayBuffer());
      this.#canaries.know(`what was made of an order of type ${type}`, bytes);
    }
    await this.#ask(`${this.#url}/v1/orders`);
    const wrong = this.#canaries.text('a passphrase in a list');
    const meta = { algorithm: 'rsa', bit_length: 2048, passphrase: [wrong] };
    await this.#refused('/v1/orders', asJson({ type: 'asymmetric', meta }));
    const long = this.#canaries.word('a passphrase too long').repeat(100);
    await this.#refused('/v1/orders', asJson({ type: 'asymmetric', meta: { ...meta, passphrase: long } }));
  }

  /** A canary in every place of a creation where it does not belong. */
  async createWrongly(): Promise<void> {
    const wrong = (where: string): string => this.#canaries.text(where);
    const bodies: Record<string, unknown> = {
      'a list as payload': { payload: [wrong('a list as payload')], payload_content_type: 'text/plain' },
      'an object as payload': { payload: { secret: wrong('an object as payload') } },
      'no type': { payload: wrong('a payload without a type') },
      'an unknown type': { payload: wrong('a payload of another type'), payload_content_type: 'image/png' },
      'bad base64': {
        payload: wrong('a payload that is no base64'),
        payload_content_type: 'application/octet-stream',
        payload_content_encoding: 'base64',
      },
      'an encoded text': {
        payload: wrong('a text with an encoding'),
        payload_content_type: 'text/plain',
        payload_content_encoding: 'base64',
      },
      'too long': { payload: wrong('a payload too long').repeat(300), payload_content_type: 'text/plain' },
      'much too long': {
        payload: wrong('a body too long').repeat(3_000),
        payload_content_type: 'text/plain',
      },
      'a bad expiration': {
        payload: wrong('with a bad expiration'),
        payload_content_type: 'text/plain',
        expiration: 'soon',
      },
      'an expiration that was': {
        payload: wrong('with a past expiration'),
        payload_content_type: 'text/plain',
        expiration: '2001-01-01T00:00:00',
      },
      'a bad bit length': {
        payload: wrong('with a bad bit length'),
        payload_content_type: 'text/plain',
        bit_length: 'many',
      },
      'a body that is a list': [wrong('a list as body')],
      'a body that is a text': wrong('a text as body'),
      'a null beside it': { payload: wrong('with a null beside it'), payload_content_type: null, name: 7 },
      'white space': { payload: `  ${wrong('spaced')}`, payload_content_type: ['text/plain'] },
    };
    for (const body of Object.values(bodies)) await this.#refused('/v1/secrets', asJson(body));
  }

  async sendMalformed(): Promise<void> {
    const word = (where: string): string => this.#canaries.word(where);
    const json = { 'content-type': 'application/json' };
    const texts = [
      `{"payload": "${word('broken off')}`,
      `{"payload": "${word('before a comma')}",}`,
      `{payload: ${word('bare')}}`,
      `{"payload": "${word('repeated')}", "payload": "${word('repeated again')}"}`,
      `${word('no JSON')}`,
      `{"__proto__": {"payload": "${word('a prototype')}"}}`,
      `{"payload": "\u0000${word('behind a NUL')}", "payload_content_type": "text/plain"}`,
      `{"payload": "\\ud800${word('behind half a pair')}", "payload_content_type": "text/plain"}`,
    ];
    for (const body of texts) await this.#refused('/v1/secrets', { method: 'POST', headers: json, body });
    for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x', word('a type')]) {
      const body = word(`sent as ${type}`);
      await this.#refused('/v1/secrets', { method: 'POST', headers: { 'content-type': type }, body });
    }
    const reference = await this.#store({ name: 'to be uploaded wrongly' });
    const path = new URL(reference).pathname;
    const octets = 'application/octet-stream';
    const uploads: [Record<string, string>, string][] = [
      [json, word('uploaded as JSON')],
      [{ 'content-type': octets, 'content-encoding': 'base64' }, `${word('uploaded as base64')}!`],
      [{ 'content-type': octets, 'content-encoding': 'gzip' }, word('uploaded as gzip')],
      [{ 'content-type': octets }, word('uploaded too long').repeat(1_000)],
    ];
    for (const [headers, body] of uploads) await this.#refused(path, { method: 'PUT', headers, body });
    await this.#refused('/v1/secrets/nothing', { method: 'PUT', headers: json, body: word('to nowhere') });
    await this.#refused('/v1/orders', asJson({ payload: word('to an unknown route') }));
    await this.#refused('/v1/secrets', { method: 'DELETE', headers: json, body: word('with a DELETE') });
  }

  /** In addresses and headers, where proxies and access logs find them. */
  async misplace(): Promise<void> {
    const word = (where: string): string => this.#canaries.word(where);
    await this.#ask(`${this.#url}/v1/secrets?payload=${word('in a query')}`);
    await this.#ask(`${this.#url}/v1/secrets?limit=${word('as a limit')}&token=${word('as another query')}`);
    await this.#ask(`${this.#url}/v1/secrets?created=${word('as a filter')}&sort=${word('as an order')}`);
    await this.#ask(`${this.#url}/v1/secrets/${word('as an id')}`);
    await this.#ask(`${this.#url}/v1/secrets/${word('as an id')}/payload`);
    await this.#ask(`${this.#url}/${word('as a path')}`);
    await this.#ask(`${this.#url}/identity/v3/${word('as a path of identity')}`);
    for (const name of ['x-auth-token', 'x-subject-token']) {
      const headers = { 'x-auth-token': this.#token, [name]: word(`as ${name}`) };
      for (const path of ['/v1/secrets', '/identity/v3/auth/tokens']) {
        this.#keep(await ask(`${this.#url}${path}`, { headers }));
      }
    }
    const places = [
      'accept',
      'openstack-api-version',
      'x-openstack-request-id',
      'cookie',
      'user-agent',
      'x-roles',
    ];
    for (const name of [...places, 'content-encoding', 'expect-ct', 'if-match', 'range', 'x-project-id']) {
      await this.#ask(`${this.#url}/v1/secrets`, { headers: { [name]: word(`as ${name}`) } });
    }
    const authorization = `Bearer ${word('as a bearer token')}`;
    this.#keep(await ask(`${this.#url}/v1/secrets`, { headers: { authorization } }));
  }

  /** What no client library would send. */
  async sendBytes(): Promise<void> {
    const word = this.#canaries.word.bind(this.#canaries);
    const host = 'Host: 127.0.0.1\r\n';
    const requests = [
      `${word('instead of a request')}\r\n\r\n`,
      `GET /v1 HTTP/1.1\r\n${host}${word('a header without a value')}\r\n\r\n`,
      `GET /v1 HTTP/1.1\r\n${host}X-Auth-Token : ${word('behind a space')}\r\n\r\n`,
      `GET /v1 HTTP/1.1\r\n${host}X-Auth-Token: ${word('too long a header').repeat(4_000)}\r\n\r\n`,
      `GET /v1/secrets HTTP/1.1\r\n${host}X-Auth-Token: ${word('a token')}\r\nX-Auth-Token: ${word('a second')}\r\n\r\n`,
      `POST /v1/secrets HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${word('smuggled')}`,
      `POST /v1/secrets HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${word('as a chunk size')}\r\n`,
      `${word('A METHOD')} /v1 HTTP/1.1\r\n${host}\r\n`,
    ];
    for (const request of requests) this.answers.push(await exchangeBytes(this.#port, request));
  }

  async logInWrongly(userName: string): Promise<void> {
    const text = (where: string): string => this.#canaries.text(where);
    const byPassword = (user: unknown): unknown => ({
      auth: { identity: { methods: ['password'], password: { user } } },
    });
    const domain = { name: 'Default' };
    const bodies = [
      byPassword({ name: userName, domain, password: text('a wrong password') }),
      byPassword({ name: 'nobody', domain, password: text("an unknown user's password") }),
      byPassword({ name: userName, password: text('a password without a domain') }),
      byPassword({ name: userName, domain, password: [text('a password in a list')] }),
      byPassword({ name: userName, domain, password: text('a password too long').repeat(200) }),
      byPassword(text('a password as a user')),
      { auth: { identity: { methods: ['token'], token: { id: text('as a token') } } } },
      { auth: { identity: { methods: [text('as a method')], password: {} } } },
      {
        auth: {
          identity: {
            methods: ['application_credential'],
            application_credential: { secret: text('as one') },
          },
        },
      },
      { auth: text('instead of auth') },
    ];
    for (const body of bodies) await this.#refused('/identity/v3/auth/tokens', asJson(body));
    const broken = `{"auth": {"identity": {"password": "${this.#canaries.word('in a broken log-in')}`;
    const headers = { 'content-type': 'application/json' };
    await this.#refused('/identity/v3/auth/tokens', { method: 'POST', headers, body: broken });
  }

  async #store(body: object): Promise<string> {
    const { status, text, json } = await this.#ask(`${this.#url}/v1/secrets`, asJson(body));
    if (status !== 201) throw new Error(`store: ${status} ${text}`);
    return json.secret_ref;
  }

  async #refused(path: string, init: RequestInit): Promise<void> {
    const { status, text } = await this.#ask(`${this.#url}${path}`, init);
    if (status < 400 || status >= 500) throw new Error(`${path}: ${status} ${text}`);
  }

  async #ask(url: string, init: RequestInit = {}): Promise<Answer> {
    const answer = await ask(url, { ...init, token: this.#token });
    this.#keep(answer);
    return answer;
  }

  #keep({ status, headers, text }: Answer): void {
    this.answers.push(`${status} ${JSON.stringify([...headers])} ${text}`);
  }
}

async function exchangeBytes(port: number, request: string): Promise<string> {
  return await new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(request, 'latin1'));
    socket.setEncoding('latin1').setTimeout(5_000, () => socket.destroy());
    socket.on('data', (chunk: string) => (answer += chunk));
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}
