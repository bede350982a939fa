import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type Client, type Reply, rawClient } from '../contract/raw-http.ts';
import type { Person, StartedCoffer } from '../harness/start-coffer.ts';

const OPERATIONS_A_SECOND = 50;
const IN_FLIGHT_MAX = 32;
/** The oldest is deleted when there are more: a rotation stays as long as it was. */
const SECRETS_MAX = 24;

export interface Tally {
  reads: number;
  writes: number;
  /** What clients were told that they should not have been. */
  failures: string[];
}

/** Clients of one project, on several servers in turn, who remember what they stored. */
export class Clients {
  readonly tally: Tally = { reads: 0, writes: 0, failures: [] };
  readonly #clients: readonly Client[];
  readonly #kept = new Map<string, string>();
  readonly #under = new Set<Promise<void>>();
  #isStopped = false;
  #turn = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(servers: readonly StartedCoffer[], { token }: Person) {
    this.#clients = servers.map(({ url }) => rawClient(url, token));
  }

  /** From now on about fifty reads and writes a second, until `stop`. */
  async start(): Promise<void> {
    while (this.#kept.size < SECRETS_MAX) await this.#store();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await Promise.all(this.#under);
  }

  /** Everything that was stored, as each server reads it now: differences from what it was. */
  async compare(): Promise<string[]> {
    const differences: string[] = [];
    for (const [index, client] of this.#clients.entries()) {
      for (const [path, payload] of this.#kept) {
        const { status, text } = await client.get(`${path}/payload`);
        if (status !== 200 || text !== payload) differences.push(`server ${index}: ${status} ${text}`);
      }
    }
    return differences;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      if (this.#under.size < IN_FLIGHT_MAX) {
        const one = this.#operate().finally(() => this.#under.delete(one));
        this.#under.add(one);
      }
      await wait(1_000 / OPERATIONS_A_SECOND);
    }
  }

  async #operate(): Promise<void> {
    this.#turn += 1;
    // An even number of servers would have each see operations of one kind alone.
    const kind = Math.floor(this.#turn / this.#clients.length) % 4;
    if (kind < 2) await this.#read();
    else if (kind === 2) await this.#store();
    else await this.#rename();
    if (this.#kept.size > SECRETS_MAX) await this.#delete();
  }

  get #client(): Client {
    return this.#clients[this.#turn % this.#clients.length] as Client;
  }

  async #read(): Promise<void> {
    const [path, payload] = this.#pick();
    const reply = await this.#client.get(`${path}/payload`);
    this.tally.reads += 1;
    // One that was deleted meanwhile is no failure.
    if (reply.status === 404 && !this.#kept.has(path)) return;
    if (reply.status !== 200 || reply.text !== payload) this.#fail('read', reply);
  }

  async #store(): Promise<void> {
    const payload = `payload ${randomUUID()}`;
    const reply = await this.#client.post('/v1/secrets', { payload, payload_content_type: 'text/plain' });
    this.tally.writes += 1;
    if (reply.status === 201) this.#kept.set(new URL(reply.json.secret_ref).pathname, payload);
    else this.#fail('store', reply);
  }

  /** A change of a row that a rotation may be moving. */
  async #rename(): Promise<void> {
    const [path] = this.#pick();
    const metadata = { metadata: { turn: String(this.#turn) } };
    const reply = await this.#client.put(`${path}/metadata`, metadata);
    this.tally.writes += 1;
    if (reply.status === 404 && !this.#kept.has(path)) return;
    if (reply.status !== 201) this.#fail('change', reply);
  }

  async #delete(): Promise<void> {
    const [oldest] = this.#kept.keys();
    if (oldest === undefined) return;
    this.#kept.delete(oldest);
    const reply = await this.#client.delete(oldest);
    this.tally.writes += 1;
    if (reply.status !== 204) this.#fail('delete', reply);
  }

  #pick(): [path: string, payload: string] {
    const kept = [...this.#kept];
    return kept[Math.floor(Math.random() * kept.length)] as [string, string];
  }

  #fail(what: string, { status, text }: Reply): void {
    this.tally.failures.push(`${what}: ${status} ${text}`);
  }
}
