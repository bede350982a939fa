type SecretAction =
  | 'secrets:post'
  | 'secrets:get'
  | 'secret:get'
  | 'secret:decrypt'
  | 'secret:put'
  | 'secret:delete'
  | 'secret_meta:get'
  | 'secret_meta:post'
  | 'secret_meta:put'
  | 'secret_meta:delete'
  | 'secret_acls:get'
  | 'secret_acls:put_patch'
  | 'secret_acls:delete'
  | 'secret_consumers:get'
  | 'secret_consumers:post'
  | 'secret_consumers:delete';

type ContainerAction =
  | 'containers:post'
  | 'containers:get'
  | 'container:get'
  | 'container:delete'
  | 'container_secret:post'
  | 'container_secret:delete'
  | 'container_acls:get'
  | 'container_acls:put_patch'
  | 'container_acls:delete'
  | 'container_consumers:get'
  | 'container_consumers:post'
  | 'container_consumers:delete'
  | 'consumer:get';

type OrderAction = 'orders:post' | 'orders:put' | 'orders:get' | 'order:get' | 'order:delete';

type ServiceAction =
  | 'quotas:get'
  | 'project_quotas:get'
  | 'project_quotas:put'
  | 'project_quotas:delete'
  | 'secretstores:get'
  | 'secretstores:get_global_default'
  | 'secretstores:get_preferred'
  | 'secretstore:get'
  | 'secretstore_preferred:post'
  | 'secretstore_preferred:delete'
  | 'transport_keys:get'
  | 'transport_keys:post'
  | 'transport_key:get'
  | 'transport_key:delete';

/** The rules that Barbican names; each rule set decides them its own way. */
export type Action = SecretAction | ContainerAction | OrderAction | ServiceAction;
