import type { CommandModule } from './command.ts';

/**
 * The nouns, in the order of the help; each file is loaded when its noun is typed, so that start-up stays
 * short.
 */
export const nouns: Readonly<Record<string, () => Promise<CommandModule>>> = {
  login: () => import('./login.ts'),
  secret: () => import('./secret.ts'),
  container: () => import('./container.ts'),
  acl: () => import('./acl.ts'),
  consumer: () => import('./consumer.ts'),
  order: () => import('./order.ts'),
  quota: () => import('./quota.ts'),
  store: () => import('./store.ts'),
  run: () => import('./run.ts'),
  serve: () => import('./serve.ts'),
  unseal: () => import('./unseal.ts'),
  worker: () => import('./worker.ts'),
  migrate: () => import('./migrate.ts'),
  bootstrap: () => import('./bootstrap.ts'),
  keyring: () => import('./keyring.ts'),
  hsm: () => import('./hsm.ts'),
  kek: () => import('./kek.ts'),
  'master-key': () => import('./master-key.ts'),
  backend: () => import('./backend.ts'),
  config: () => import('./config.ts'),
  project: () => import('./project.ts'),
  app: () => import('./app.ts'),
  issuer: () => import('./issuer.ts'),
  user: () => import('./user.ts'),
  role: () => import('./role.ts'),
  token: () => import('./token.ts'),
  'signing-key': () => import('./signing-key.ts'),
};
