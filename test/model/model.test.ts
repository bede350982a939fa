import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type KeyManager, startKeyManager } from '../contract/key-manager.ts';
import { rounds } from '../harness/rounds.ts';
import { ACL_STEPS } from './acl-steps.ts';
import { CONSUMER_STEPS } from './consumer-steps.ts';
import { CONTAINER_STEPS } from './container-steps.ts';
import { ORDER_STEPS } from './order-steps.ts';
import { QUOTA_STEPS } from './quota-steps.ts';
import { SECRET_STEPS } from './secret-steps.ts';
import { type Step, World } from './world.ts';

const STEPS = {
  ...SECRET_STEPS,
  ...ACL_STEPS,
  ...CONSUMER_STEPS,
  ...CONTAINER_STEPS,
  ...ORDER_STEPS,
  ...QUOTA_STEPS,
};
const LENGTH = 100;
let keyManager: KeyManager;

beforeAll(async () => {
  keyManager = await startKeyManager();
});

afterAll(async () => await keyManager.stop());

const step: fc.Arbitrary<Step> = fc.record({
  // What has several steps to its end comes more often.
  does: fc.constantFrom(...Object.keys(STEPS), ...Object.keys(ORDER_STEPS)),
  who: fc.nat(1_000),
  at: fc.nat(1_000),
  other: fc.nat(1_000),
  text: fc.constantFrom('', 'a', 'b', 'c'),
  key: fc.constantFrom('one', 'two', 'three'),
  flag: fc.boolean(),
  count: fc.nat(5),
});

async function compareState(world: World): Promise<void> {
  for (const project of world.projects) {
    const { client } = world.callers.find((caller) => caller.project === project) as World['callers'][0];
    const secrets = world.model.secretsOf(project);
    const { json } = await client.get('/v1/secrets?limit=100');
    const found = json.secrets.map((item: { secret_ref: string }) => item.secret_ref.slice(-36));
    // Those of one millisecond are in the order of their ids.
    expect(found.sort()).toEqual(secrets.map(({ id }) => id).sort());
    for (const secret of secrets) {
      const { json: kept } = await client.get(`/v1/secrets/${secret.id}/metadata`);
      expect(kept.metadata).toEqual(Object.fromEntries(secret.metadata));
    }
    const { json: containers } = await client.get('/v1/containers?limit=100');
    const slots = containers.containers.flatMap((item: { secret_refs: unknown[] }) => item.secret_refs);
    const expected = world.model.containersOf(project).flatMap((item) => world.model.slotsOf(item));
    expect(slots).toHaveLength(expected.length);
    const { json: orders } = await client.get('/v1/orders?limit=100');
    const states = orders.orders.map(
      (item: { order_ref: string; status: string }) => `${item.order_ref.slice(-36)} ${item.status}`,
    );
    const known = world.model.ordersOf(project).map(({ id, status }) => `${id} ${status}`);
    expect(states.sort()).toEqual(known.sort());
  }
}

it('answers random operations of two projects and three roles as the model does, and keeps the same state', {
  timeout: 900_000,
}, async () => {
  let last = '';
  const steps = fc.array(step, { minLength: LENGTH, maxLength: LENGTH });
  const property = fc.asyncProperty(steps, async (chosen) => {
    const world = new World(keyManager);
    for (const [n, next] of chosen.entries()) {
      last = `step ${n}, ${JSON.stringify(next)}`;
      await STEPS[next.does]?.(world, next);
    }
    last = 'the state at the end';
    await compareState(world);
  });
  // A shorter run that fails would take thousands of requests to find: the step that failed is enough.
  const outcome = await fc.check(property, { numRuns: rounds(1_000), endOnFailure: true });
  if (!outcome.failed) return;
  const message = `run ${outcome.numRuns} of seed ${outcome.seed}: ${last}`;
  throw new Error(message, { cause: outcome.errorInstance });
});
