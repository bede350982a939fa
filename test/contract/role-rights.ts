import { expect } from 'vitest';
import type { RuleSetName } from '../../src/policy/can.ts';
import type { KeyManager } from './key-manager.ts';
import type { Client, Reply } from './raw-http.ts';

/** One operation: its name in a refusal, what it answers to who may, and who may under each rule set. */
export interface RoleAct {
  operation: string;
  status: number;
  stock: readonly string[];
  secure: readonly string[];
  run: (client: Client) => Promise<Reply>;
}

const ROLES = [
  'admin',
  'creator',
  'observer',
  'audit',
  'key-manager:service-admin',
  'member',
  'reader',
  'manager',
  'nobody',
];

/** Tries an operation as each role alone. `prepare` makes what the operation may have taken away. */
export async function expectRights(
  keyManager: KeyManager,
  rules: RuleSetName,
  act: RoleAct,
  prepare: () => Promise<void> = async () => {},
): Promise<void> {
  for (const role of ROLES) {
    await prepare();
    const reply = await act.run(keyManager.as(role));
    const allowed = act[rules].includes(role);
    expect([role, reply.status], reply.text).toEqual([role, allowed ? act.status : 403]);
    if (!allowed) {
      const refusal = `${act.operation} attempt not allowed - please review your user/project privileges`;
      expect(reply.json.description).toBe(refusal);
    }
  }
}

export const EVERY_ROLE = ['admin', 'creator', 'observer', 'audit', 'key-manager:service-admin'];
