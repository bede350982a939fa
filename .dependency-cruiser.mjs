// Who may import whom. A folder or file of src that is not named here may import nothing: add it when it is made.
const slicesInOrder = [
  'quotas',
  'secret-stores',
  'transport-keys',
  'acl',
  'consumers',
  'secrets',
  'containers',
  'orders',
  'names',
  'boot',
  'events',
];
const slice = `(?:${slicesInOrder.join('|')})`;
const own = (area) => `^src/${area}(?:/|\\.ts$)`;

/** Mechanisms and single files: what each may import besides itself and `errors.ts`. */
const allowed = {
  errors: [],
  crypto: [],
  db: ['crypto'],
  keyring: ['crypto', 'db'],
  policy: [],
  audit: ['crypto', 'db', 'policy', 'coffer'],
  coffer: ['db', 'keyring', 'policy', 'audit'],
  operation: ['coffer', 'policy', 'audit', 'db'],
  http: ['policy', 'coffer', 'audit', 'identity/token'],
  projects: ['coffer', 'keyring', 'db'],
  rotation: ['coffer', 'keyring', 'db'],
  identity: ['operation', 'coffer', 'policy', 'audit', 'keyring', 'db', 'crypto', 'http', 'projects'],
  custody: ['http', 'health', 'keyring', 'crypto'],
  health: ['http', 'coffer', 'policy', 'db', 'keyring'],
  config: ['policy'],
  'log-destination': [],
  signals: [],
  client: [],
};

const forbidden = [
  {
    name: 'no-circular',
    severity: 'error',
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
  { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  {
    name: 'no-dev-dependency-in-product',
    severity: 'error',
    from: { path: '^(src|migrations)/' },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'product-never-imports-tests',
    severity: 'error',
    from: { path: '^(src|migrations)/' },
    to: { path: '^test/' },
  },
  ...Object.entries(allowed).map(([area, others]) => ({
    name: `${area}-imports`,
    severity: 'error',
    from: { path: own(area) },
    to: { path: '^src/', pathNot: [own('errors'), own(area), ...others.map(own)] },
  })),
];

const top = ['app', 'server', 'serve', 'installation', 'bootstrap', 'cli', 'worker'];
forbidden.push({
  name: 'unknown-area',
  severity: 'error',
  from: { path: '^src/', pathNot: [...Object.keys(allowed), ...slicesInOrder, ...top].map(own) },
  to: {},
});

/** Packages of npm that only the named places may import. */
const packages = {
  '(?:kysely|pg)':
    '^(?:src/(?:db/|audit/|keyring/queries|identity/|operation\\.ts|[^/]+/[^/]*(?:queries|sql)\\.ts)|migrations/|test/)',
  '(?:@noble/[^/]+|node-forge|@node-rs/argon2|@peculiar/x509)': '^(?:src/crypto/|test/)',
  '(?:fastify|@fastify/[^/]+)':
    '^(?:src/(?:http/|health/|identity/|app\\.ts|server\\.ts|[^/]+/[^/]*routes\\.ts)|test/)',
  pkcs11js: '^(?:src/keyring/pkcs11/token(?:-process)?\\.ts|test/hsm/)',
  jose: '^(?:src/identity/federation/|test/)',
  typebox: '^(?:src/(?:http/|health/|identity/|app\\.ts|[^/]+/[^/]*(?:schema|routes)\\.ts)|test/)',
};
for (const [name, places] of Object.entries(packages)) {
  forbidden.push({
    name: `package-${
      name
        .replace(/[^a-z-]+/g, ' ')
        .trim()
        .split(' ')[0]
    }`,
    severity: 'error',
    from: { pathNot: places },
    to: { path: `(?:^|/)node_modules/${name}/` },
  });
}

forbidden.push(
  {
    name: 'crypto-packages',
    comment: 'crypto knows no HTTP and no SQL',
    severity: 'error',
    from: { path: '^src/crypto/' },
    to: {
      dependencyTypes: ['npm', 'core'],
      pathNot:
        '^(?:node:)?(?:crypto|util|buffer|assert)$|(?:^|/)node_modules/(?:@noble/[^/]+|node-forge|@types/node-forge|@node-rs/argon2|@peculiar/x509)/',
    },
  },
  {
    name: 'policy-is-pure',
    severity: 'error',
    from: { path: '^src/policy/' },
    to: { dependencyTypes: ['npm', 'core'] },
  },
  {
    name: 'client-has-no-run-time-dependency',
    severity: 'error',
    from: { path: '^src/client/' },
    to: { dependencyTypes: ['npm', 'npm-dev', 'core'] },
  },
  {
    name: 'migrations-imports',
    severity: 'error',
    from: { path: '^migrations/' },
    to: { path: '^src/', pathNot: '^src/(?:errors\\.ts|db/|crypto/)' },
  },
  {
    name: 'slice-queries-imports',
    severity: 'error',
    from: { path: `^src/(${slice})/[^/]*queries\\.ts$` },
    to: {
      path: '^src/',
      pathNot: [
        '^src/errors\\.ts$',
        '^src/db/',
        '^src/crypto/',
        '^src/(?:quotas|audit)/sql\\.ts$',
        '^src/$1/(?![^/]*(?:service|routes))',
      ],
    },
  },
  {
    name: 'queries-are-private-to-their-slice',
    severity: 'error',
    from: { path: '^src/([^/]+)/' },
    to: { path: '[/-]queries\\.ts$', pathNot: '^src/$1/' },
  },
  {
    name: 'queries-belong-to-services',
    severity: 'error',
    from: { path: `^src/${slice}/[^/]*(?:routes|schema)\\.ts$` },
    to: { path: '[/-]queries\\.ts$', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'slice-service-imports',
    severity: 'error',
    from: { path: `^src/(${slice})/(?![^/]*(?:queries|routes)\\.)[^/]+\\.ts$` },
    to: {
      path: '^src/',
      pathNot: [
        '^src/(?:errors|operation|coffer)\\.ts$',
        '^src/(?:policy|keyring|crypto|audit)/',
        '^src/db/(?:open|schema|sealed)\\.ts$',
        '^src/http/(?:documentation|json-schema-messages|microversions|python-text|refs|timestamps)\\.ts$',
        '^src/$1/(?![^/]*routes)',
        `^src/${slice}/(?:enforce|service|record|schema)\\.ts$`,
      ],
    },
  },
  {
    name: 'slices-name-the-database-as-a-type',
    comment: 'they hand a transaction on, and open none',
    severity: 'error',
    from: { path: `^src/${slice}/(?![^/]*(?:queries|routes)\\.)[^/]+\\.ts$` },
    to: { path: '^src/db/open\\.ts$', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'slice-routes-imports',
    comment: 'a route names types of rows and wipes the bytes of a reply; it reads and decides nothing',
    severity: 'error',
    from: { path: `^src/(${slice})/[^/]*routes\\.ts$` },
    to: {
      path: '^src/',
      dependencyTypesNot: ['type-only'],
      pathNot: [
        '^src/(?:errors|coffer)\\.ts$',
        '^src/(?:http|policy)/',
        '^src/crypto/envelope\\.ts$',
        '^src/$1/(?![^/]*queries)',
      ],
    },
  },
  {
    name: 'app-imports',
    severity: 'error',
    from: { path: '^src/app\\.ts$' },
    to: {
      path: '^src/',
      pathNot: [
        '^src/(?:errors|coffer)\\.ts$',
        '^src/(?:http|policy|health|identity)/',
        '[/-](?:routes|owner)\\.ts$',
      ],
    },
  },
  {
    name: 'only-the-top-imports-the-top',
    comment: 'nothing below imports app, serve, config, worker or cli',
    severity: 'error',
    from: {
      path: '^src/',
      pathNot: '^src/(?:app|serve|server|installation|bootstrap|config)\\.ts$|^src/(?:cli|worker)/',
    },
    to: { path: '^src/(?:app|serve|server|installation|bootstrap|config)\\.ts$|^src/(?:cli|worker)/' },
  },
  {
    name: 'nothing-imports-the-client-but-the-commands',
    severity: 'error',
    from: { path: '^src/', pathNot: '^src/(?:client|cli)/' },
    to: { path: '^src/client/' },
  },
);
// services reach only services to their left
slicesInOrder.forEach((name, index) => {
  const toTheRight = slicesInOrder.slice(index + 1);
  if (toTheRight.length > 0) {
    forbidden.push({
      name: `${name}-reaches-left-only`,
      severity: 'error',
      from: { path: `^src/${name}/` },
      to: { path: `^src/(?:${toTheRight.join('|')})/` },
    });
  }
});

export default {
  forbidden,
  options: {
    doNotFollow: { path: '(?:^|/)node_modules/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
