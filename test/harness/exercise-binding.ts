import { randomBytes, randomUUID } from 'node:crypto';
import { it } from 'vitest';
import { dekContext, integrityKeyContext, kekContext } from '../../src/keyring/contexts.ts';
import type { Stage } from './exercise-backend.ts';
import { expectViolation } from './refused-bytes.ts';

/** What a wrapped key belongs to. */
const OWN = {
  installation: randomBytes(16),
  project: 'a-project',
  kekId: randomUUID(),
  epoch: 7n,
  owner: randomUUID(),
};

const ELSEWHERE: Readonly<Record<string, Partial<typeof OWN>>> = {
  'another installation': { installation: randomBytes(16) },
  'another project': { project: 'another-project' },
  'another KEK': { kekId: randomUUID() },
  'a later epoch': { epoch: 8n },
  'an earlier epoch': { epoch: 6n },
};

const contextOfKek = ({ installation, project, kekId, epoch }: typeof OWN, masterKeyId: string) =>
  kekContext(installation, project, kekId, epoch, masterKeyId);

const contextOfDek = ({ installation, project, kekId, epoch, owner }: typeof OWN) =>
  dekContext(installation, 'secret', project, owner, kekId, epoch);

/** Ciphertexts that were moved: whoever writes to the database can put any of them into any row. */
export function exerciseBinding(stage: () => Stage): void {
  it.for(Object.keys(ELSEWHERE))('refuses a wrapped KEK that was moved to %s', async (place) => {
    const { backend, active } = stage();
    const { wrapped, kek } = await backend.createKek(active, contextOfKek(OWN, active));
    kek.close();
    const moved = { ...OWN, ...ELSEWHERE[place] };
    await expectViolation(backend.openKek(active, wrapped, contextOfKek(moved, active)));
    (await backend.openKek(active, wrapped, contextOfKek(OWN, active))).close();
  });

  it('refuses a wrapped KEK that is said to be under another master key', async () => {
    const { backend, active, otherMasterKeyId: other } = stage();
    const { wrapped, kek } = await backend.createKek(active, contextOfKek(OWN, active));
    kek.close();
    await expectViolation(backend.openKek(other, wrapped, contextOfKek(OWN, other)));
    await expectViolation(backend.openKek(active, wrapped, contextOfKek(OWN, other)));
    await expectViolation(backend.openKek(other, wrapped, contextOfKek(OWN, active)));
  });

  it.for([...Object.keys(ELSEWHERE), 'another secret'])(
    'refuses a wrapped DEK that was moved to %s',
    async (place) => {
      const { kek } = stage();
      const wrapped = await kek.wrap(randomBytes(32), contextOfDek(OWN));
      const moved = { ...OWN, ...(ELSEWHERE[place] ?? { owner: randomUUID() }) };
      await expectViolation(kek.unwrap(wrapped, contextOfDek(moved)));
      await kek.unwrap(wrapped, contextOfDek(OWN));
    },
  );

  it('refuses what is a key of another kind: a DEK as integrity key, either as a KEK', async () => {
    const { backend, active, kek } = stage();
    const { installation, project, kekId, epoch } = OWN;
    const ofIntegrityKey = integrityKeyContext(installation, project, kekId, epoch);
    const wrappedDek = await kek.wrap(randomBytes(32), contextOfDek(OWN));
    const wrappedIntegrityKey = await kek.wrap(randomBytes(32), ofIntegrityKey);
    await expectViolation(kek.unwrap(wrappedDek, ofIntegrityKey));
    await expectViolation(kek.unwrap(wrappedIntegrityKey, contextOfDek(OWN)));
    await expectViolation(backend.openKek(active, wrappedDek, contextOfDek(OWN)));
    await expectViolation(backend.openKek(active, wrappedIntegrityKey, ofIntegrityKey));
    const made = await backend.createKek(active, contextOfDek(OWN));
    await expectViolation(kek.unwrap(made.wrapped, contextOfDek(OWN)));
    made.kek.close();
  });
}
