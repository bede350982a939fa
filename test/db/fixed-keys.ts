import type { RowKeys } from '../../src/db/sealed.ts';

/** Keys that need no database: one for each project and epoch. What holds real ones is the keyring. */
export function createFixedKeys(finishedMigration = Number.MAX_SAFE_INTEGER): RowKeys {
  return {
    installationId: Buffer.alloc(16, 0x11),
    finishedMigration,
    withRowsKey: async (projectId, epoch, use) => use(Buffer.alloc(32, `${projectId}/${epoch}/key`)),
  };
}
