import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Stage } from './exercise-backend.ts';
import { CONTEXT, damagedCopies, expectViolation } from './refused-bytes.ts';

const NEW_CONTEXT = Buffer.from('the context of the same KEK under another master key');

/** Master keys that come and go, and KEKs that move from one to the other. */
export function exerciseMasterKeys(stage: () => Stage): void {
  it('moves a KEK to another master key, where it is the same, and leaves what it was', async () => {
    const { backend, active, otherMasterKeyId: other, wrapped, kek } = stage();
    const key = randomBytes(32);
    const inner = await kek.wrap(key, CONTEXT);
    const from = { masterKeyId: active, context: CONTEXT };
    const to = { masterKeyId: other, context: NEW_CONTEXT };
    const moved = await backend.rewrapKek(wrapped, from, to);
    const again = await backend.openKek(other, moved, NEW_CONTEXT);
    expect(Buffer.from(await again.unwrap(inner, CONTEXT))).toEqual(key);
    again.close();
    await expectViolation(backend.openKek(active, moved, CONTEXT));
    await expectViolation(backend.openKek(active, moved, NEW_CONTEXT));
    await expectViolation(backend.openKek(other, moved, CONTEXT));
    expect(moved).toHaveLength(wrapped.length);
    expect(moved[0]).toBe(wrapped[0]);
    (await backend.openKek(active, wrapped, CONTEXT)).close();
    const back = await backend.rewrapKek(moved, to, from);
    (await backend.openKek(active, back, CONTEXT)).close();
  });

  it('moves no KEK that it would not open, and to no master key that it does not have', async () => {
    const { backend, active, otherMasterKeyId: other, wrapped } = stage();
    const from = { masterKeyId: active, context: CONTEXT };
    const to = { masterKeyId: other, context: NEW_CONTEXT };
    for (const damaged of damagedCopies(wrapped).slice(0, 20)) {
      await expectViolation(backend.rewrapKek(damaged, from, to));
    }
    await expectViolation(backend.rewrapKek(wrapped, { ...from, context: NEW_CONTEXT }, to));
    await expectViolation(backend.rewrapKek(wrapped, { ...from, masterKeyId: other }, to));
    await expectViolation(backend.rewrapKek(wrapped, { ...from, masterKeyId: 'no-such-key' }, to));
    await expectViolation(backend.rewrapKek(wrapped, from, { ...to, masterKeyId: 'no-such-key' }));
  });

  it('makes a master key, uses it at once, and destroys it for good', async () => {
    const { backend, active, wrapped } = stage();
    expect(await backend.listMasterKeys()).not.toContain('mk-added');
    await backend.addMasterKey('mk-added');
    expect(await backend.listMasterKeys()).toContain('mk-added');
    await expect(backend.addMasterKey('mk-added')).rejects.toMatchObject({ code: 'conflict' });
    const made = await backend.createKek('mk-added', CONTEXT);
    made.kek.close();
    (await backend.openKek('mk-added', made.wrapped, CONTEXT)).close();
    await backend.checkHealth('mk-added');
    await backend.removeMasterKey('mk-added', active);
    await backend.removeMasterKey('mk-added', active);
    expect(await backend.listMasterKeys()).not.toContain('mk-added');
    await expectViolation(backend.openKek('mk-added', made.wrapped, CONTEXT));
    await backend.addMasterKey('mk-added');
    await expectViolation(backend.openKek('mk-added', made.wrapped, CONTEXT));
    await backend.removeMasterKey('mk-added', active);
    (await backend.openKek(active, wrapped, CONTEXT)).close();
  });

  it.for(['', '-x', 'two words', 'x'.repeat(65)])('makes no master key with the id "%s"', async (id) => {
    await expect(stage().backend.addMasterKey(id)).rejects.toMatchObject({ code: 'bad_request' });
  });
}
