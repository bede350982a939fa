import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { LAYOUTS } from '../db/layouts.ts';
import type { Db } from '../db/open.ts';

export interface Metrics {
  registry: Registry;
  observeRequest(method: string, route: string, status: number, seconds: number): void;
  countIntegrityViolation(where: string): void;
  countContainerMismatch(type: string): void;
  countJob(job: string, outcome: 'run' | 'failure'): void;
  countPurged(what: 'secrets' | 'orders'): void;
  countOrder(type: 'key' | 'asymmetric', outcome: 'active' | 'error' | 'retried'): void;
}

/** Labels come from closed lists (routes, methods, tables): a client cannot make series. */
export function createMetrics(db: Db): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'coffer_' });
  const registers = [registry];
  const requests = new Counter({
    name: 'coffer_requests_total',
    help: 'Requests answered, by method, route and status.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const latency = new Histogram({
    name: 'coffer_request_seconds',
    help: 'Time to the end of the answer, by method and route.',
    labelNames: ['method', 'route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const mismatches = new Counter({
    name: 'coffer_container_mismatches_total',
    help: 'Containers asked for whose key, certificate, passphrase or chain do not belong together, by type.',
    labelNames: ['type'],
    registers,
  });
  const violations = new Counter({
    name: 'coffer_integrity_violations_total',
    help: 'Rows or ciphertexts that did not verify.',
    labelNames: ['where'],
    registers,
  });
  // A series that begins with its first violation shows an alert no increase.
  for (const table of Object.keys(LAYOUTS)) violations.inc({ where: table }, 0);
  new Gauge({
    name: 'coffer_database_connections',
    help: 'Connections of the pool, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      this.set({ state: 'open' }, db.pool.totalCount);
      this.set({ state: 'idle' }, db.pool.idleCount);
      this.set({ state: 'waiting' }, db.pool.waitingCount);
    },
  });
  return {
    registry,
    observeRequest: (method, route, status, seconds) => {
      requests.inc({ method, route, status });
      latency.observe({ method, route }, seconds);
    },
    countContainerMismatch: (type) => mismatches.inc({ type }),
    countIntegrityViolation: (where) => violations.inc({ where }),
    ...createJobCounters(registers),
  };
}

function createJobCounters(registers: Registry[]): Pick<Metrics, 'countJob' | 'countPurged' | 'countOrder'> {
  const runs = new Counter({
    name: 'coffer_job_runs_total',
    help: 'Runs of the jobs of this process.',
    labelNames: ['job'],
    registers,
  });
  const failures = new Counter({
    name: 'coffer_job_failures_total',
    help: 'Runs that failed and are tried again.',
    labelNames: ['job'],
    registers,
  });
  const purged = new Counter({
    name: 'coffer_purged_total',
    help: 'Rows destroyed because their time was over.',
    labelNames: ['what'],
    registers,
  });
  const orders = new Counter({
    name: 'coffer_orders_total',
    help: 'Attempts at orders, by type and by what came of them.',
    labelNames: ['type', 'outcome'],
    registers,
  });
  return {
    countOrder: (type, outcome) => orders.inc({ type, outcome }),
    countJob: (job, outcome) => (outcome === 'run' ? runs : failures).inc({ job }),
    countPurged: (what) => purged.inc({ what }),
  };
}
