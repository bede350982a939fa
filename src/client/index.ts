export type { Acl, AclChange, Acls } from './acls.ts';
export { findContainerId, findSecretId, type Shared } from './address.ts';
export { Coffer, type CofferOptions, type TokenDescription, type TokenInformation } from './coffer.ts';
export { CofferError, type CofferErrorCode, type CofferErrorDetails } from './coffer-error.ts';
export {
  type ApplicationCredentials,
  type CredentialProvider,
  type Credentials,
  credentialsFromEnvironment,
  type Environment,
  environmentProvider,
  type PasswordCredentials,
  type Place,
  type ProjectScope,
  providerChain,
  type TokenCredentials,
} from './credentials.ts';
export type {
  Consumers,
  ContainerConsumer,
  RegisteredConsumer,
  SecretConsumer,
  Use,
} from './consumers.ts';
export type {
  Container,
  ContainerFilter,
  ContainerPage,
  ContainerReference,
  ContainerSlot,
  ContainerType,
  NewContainer,
} from './container.ts';
export type { Containers } from './containers.ts';
export { credentialFileProvider, credentialsFromFile } from './credential-file.ts';
export { type RedeemedCredentials, redeemCode, type RedemptionOptions } from './redemption.ts';
export type { NewKeyOrder, NewPairOrder, Order, OrderReference } from './order.ts';
export type { OrderFilter, Orders, WaitOptions } from './orders.ts';
export type { SecretMetadata } from './metadata.ts';
export type { Limits, ProjectLimits, QuotaResource, Quotas } from './quotas.ts';
export type { SecretStore, SecretStores } from './secret-stores.ts';
export type {
  NewSecret,
  PayloadContentType,
  Secret,
  SecretFilter,
  SecretPage,
  SecretReference,
  SecretType,
} from './secret.ts';
export { SecretValue } from './secret-value.ts';
export type { PayloadOptions, Secrets, UploadOptions } from './secrets.ts';
export type { CallOptions } from './session.ts';
export type { TransportOptions } from './transport.ts';
