import { type Measured, measure, requestBytes } from './load.ts';
import { makeApplicationLogin, measureTokens, passwordLogin } from './log-ins.ts';
import { measureRotation } from './rotation.ts';
import { type Servers, startServers } from './servers.ts';
import { measureStartUp } from './start-up.ts';
import { startTokenStores } from './token-stores.ts';

// Ratios to the yardstick of the same run: these are what may be quoted, the absolute figures are the
// machine's.

const SECONDS = Number(process.env.COFFER_BENCH_SECONDS ?? '4');
const CONNECTIONS = (process.env.COFFER_BENCH_CONNECTIONS ?? '1,16,64').split(',').map(Number);
/** Of the scenarios, those whose name this matches. */
const ONLY = new RegExp(process.env.COFFER_BENCH_ONLY ?? '');
const READ_AMONG = 1_000;
const LIST_AMONG = 10_000;
const TOKEN_CONNECTIONS = 64;

/** Of 100 among 100,000, of which each pattern finds 10,000. */
const CROWD_LISTS = [
  ['list by prefix', 'name=name-1-%25&sort=created:desc'],
  ['list by part', 'name=%25-1-%25&sort=name'],
] as const;

interface Scenario {
  name: string;
  next: () => Buffer;
  /** More would be sent away, as they should. */
  connectionsMax?: number;
}

const servers = await startServers();
try {
  const scenarios = await prepareScenarios(servers);
  const { yardstickPort, yardstickIds } = servers;
  const yardstick = { name: 'yardstick', next: () => requestBytes('GET', `/rows/${pick(yardstickIds)}`, {}) };
  await reportStartUp(servers);
  await reportTokens();
  if (ONLY.test('rotation')) await reportRotation(servers);
  if (ONLY.test('token stores')) await reportTokenStores(servers);
  print('scenario', 'connections', 'requests/s', 'ratio', 'median ms', 'p99 ms', 'failed');
  for (const connections of CONNECTIONS) {
    const before = await run(yardstick, yardstickPort, connections);
    const measured: [Scenario, Measured][] = [];
    for (const scenario of scenarios) {
      if (connections > (scenario.connectionsMax ?? connections) || !ONLY.test(scenario.name)) continue;
      measured.push([scenario, await run(scenario, servers.cofferPort, connections)]);
    }
    const after = await run(yardstick, yardstickPort, connections);
    const base = (before.requestsPerSecond + after.requestsPerSecond) / 2;
    report(yardstick, connections, { ...before, requestsPerSecond: base }, base);
    for (const [scenario, figures] of measured) report(scenario, connections, figures, base);
  }
} finally {
  await servers.stop();
}

async function prepareScenarios({ cofferPort, token, crowdToken, password }: Servers): Promise<Scenario[]> {
  const auth = { 'x-auth-token': token };
  const json = { ...auth, 'content-type': 'application/json' };
  const post = (payload: string): Buffer => {
    const body = JSON.stringify({ name: 'bench', payload, payload_content_type: 'text/plain' });
    return requestBytes('POST', '/v1/secrets', json, Buffer.from(body));
  };
  const [small, large] = [post('x'.repeat(32)), post('x'.repeat(10_240))];
  const ids: string[] = [];
  const storeOne = async (): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${cofferPort}/v1/secrets`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ name: 'bench', payload: 'x'.repeat(32), payload_content_type: 'text/plain' }),
    });
    const { secret_ref } = (await answer.json()) as { secret_ref: string };
    ids.push(secret_ref.slice(-36));
  };
  while (ids.length < LIST_AMONG) await Promise.all(Array.from({ length: 100 }, storeOne));
  const some = ids.slice(0, READ_AMONG);
  const byApplication = await makeApplicationLogin(`http://127.0.0.1:${cofferPort}`, token);
  const byPassword = passwordLogin(password);
  const path = (): string => `/v1/secrets/${pick(some)}`;
  return [
    {
      name: 'GET payload',
      next: () => requestBytes('GET', `${path()}/payload`, { ...auth, accept: 'text/plain' }),
    },
    { name: 'GET metadata', next: () => requestBytes('GET', path(), auth) },
    {
      name: 'GET list of 100',
      next: () => requestBytes('GET', '/v1/secrets?limit=100&sort=created', auth),
    },
    ...CROWD_LISTS.map(([name, query]) => ({
      name,
      next: () => requestBytes('GET', `/v1/secrets?limit=100&${query}`, { 'x-auth-token': crowdToken }),
    })),
    { name: 'POST 32 B', next: () => small },
    { name: 'POST 10 KiB', next: () => large },
    { name: 'log in, app', next: () => byApplication },
    { name: 'log in, password', next: () => byPassword, connectionsMax: 16 },
  ];
}

async function reportStartUp({ cofferPort, token }: Servers): Promise<void> {
  const url = `http://127.0.0.1:${cofferPort}`;
  const listed = await fetch(`${url}/v1/secrets?limit=1`, { headers: { 'x-auth-token': token } });
  const { secrets } = (await listed.json()) as { secrets: { secret_ref: string }[] };
  const { emptyNode, secretGet, importClient } = await measureStartUp(
    url,
    token,
    secrets[0]?.secret_ref.slice(-36) ?? '',
  );
  print('start-up, ms', 'median', 'to empty Node');
  print('empty Node', emptyNode.toFixed(0), '1.00');
  print('coffer secret get', secretGet.toFixed(0), (secretGet / emptyNode).toFixed(2));
  print('import client', importClient.toFixed(1), (importClient / emptyNode).toFixed(2));
}

async function reportTokens(): Promise<void> {
  const { verify, verifyCached, sign, matchSecret } = await measureTokens();
  print('tokens', 'µs of CPU');
  print('verify, first', verify.toFixed(1));
  print('verify, again', verifyCached.toFixed(1));
  print('sign', sign.toFixed(1));
  print('match a secret', matchSecret.toFixed(1));
}

async function reportRotation({ config }: Servers): Promise<void> {
  const { secrets, rowsPerSecond } = await measureRotation(config);
  print('rotation of a KEK', 'secrets', 'rows/s');
  for (const rate of rowsPerSecond) print('', secrets, Math.round(rate));
}

/** Payloads of a server whose keys are in a token, against one whose keys are in a file, turn by turn. */
async function reportTokenStores({ config }: Servers): Promise<void> {
  const stores = await startTokenStores(config);
  if (stores === undefined) {
    process.stdout.write('SoftHSM is not installed (apt-get install softhsm2): no rates with a token\n');
    return;
  }
  try {
    print('GET payload', 'connections', 'requests/s', 'ratio', 'median ms', 'p99 ms', 'failed');
    const [software, ...others] = stores.scenarios;
    const before = await run(software, software.port, TOKEN_CONNECTIONS);
    const measured: [Scenario, Measured][] = [];
    for (const scenario of others)
      measured.push([scenario, await run(scenario, scenario.port, TOKEN_CONNECTIONS)]);
    const after = await run(software, software.port, TOKEN_CONNECTIONS);
    const base = (before.requestsPerSecond + after.requestsPerSecond) / 2;
    report(software, TOKEN_CONNECTIONS, { ...before, requestsPerSecond: base }, base);
    for (const [scenario, figures] of measured) report(scenario, TOKEN_CONNECTIONS, figures, base);
  } finally {
    await stores.stop();
  }
}

async function run(scenario: Scenario, port: number, connections: number): Promise<Measured> {
  await measure({ port, connections, seconds: 1, next: scenario.next });
  return await measure({ port, connections, seconds: SECONDS, next: scenario.next });
}

function report(scenario: Scenario, connections: number, figures: Measured, base: number): void {
  const { requestsPerSecond, median, p99, failed } = figures;
  const ratio = (requestsPerSecond / base).toFixed(2);
  print(
    scenario.name,
    connections,
    Math.round(requestsPerSecond),
    ratio,
    median.toFixed(2),
    p99.toFixed(2),
    failed,
  );
}

function print(name: string, ...cells: (string | number)[]): void {
  process.stdout.write(`${name.padEnd(18)}${cells.map((cell) => String(cell).padStart(13)).join('')}\n`);
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}
