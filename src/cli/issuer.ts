import type { Clock } from '../coffer.ts';
import type { IssuerRow } from '../db/schema.ts';
import type { Installation } from '../installation.ts';
import {
  type Command,
  type CommandContext,
  type Flags,
  listFlag,
  stringFlag,
  UsageError,
} from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { parseClaims, readKeySource } from './issuer-flags.ts';
import { issuerTest } from './issuer-test.ts';
import { putOnRecord } from './operator-record.ts';
import { chooseFormat, type Fields, type Format, formatList, formatOne, outputFlag } from './output.ts';
import { confirmByName } from './prompt.ts';
import { installationFlags } from './setting-flags.ts';
import { withInstallation } from './with-installation.ts';

const formats: readonly Format[] = ['table', 'json', 'yaml', 'env', 'raw'];
const listFormats: readonly Format[] = ['table', 'json', 'yaml', 'raw'];
type Parts = Installation & { clock: Clock };

const keySetFlag: Flags = {
  jwks: {
    type: 'string',
    description: "The issuer's JSON Web Key Set: a file, or the URL that the server reads it from.",
    placeholder: 'FILE|URL',
  },
};

const create: Command = {
  name: 'issuer create',
  summary:
    'Let the bearers of JWTs of an issuer have tokens: a Kubernetes, GitHub, GitLab or other OIDC issuer.',
  usage:
    'NAME --issuer URL --jwks FILE|URL --audience TEXT --claims NAME=VALUE… --project P --role R… [flags]',
  example:
    "coffer issuer create shop-k8s --issuer https://kubernetes.default.svc --jwks jwks.json --audience coffer --claims 'sub=system:serviceaccount:shop:web' --project shop --role creator",
  flags: {
    issuer: { type: 'string', description: 'What its JWTs name as iss.', placeholder: 'URL' },
    ...keySetFlag,
    audience: { type: 'string', description: 'What its JWTs name as aud.', placeholder: 'TEXT' },
    claims: {
      type: 'string',
      multiple: true,
      description: 'A claim that must be exactly this text; repeat it for more.',
      placeholder: 'NAME=VALUE',
    },
    project: { type: 'string', description: 'The project of the tokens.', placeholder: 'PROJECT' },
    role: {
      type: 'string',
      multiple: true,
      description: 'A role there; repeat it for more.',
      placeholder: 'ROLE',
    },
    'allow-private': {
      type: 'boolean',
      description: 'The URL of the key set may be at a private address, as inside a cluster.',
    },
    'allow-http': {
      type: 'boolean',
      description: 'It may be http: whoever sits between can let anybody in.',
    },
    ...outputFlag(formats),
    ...installationFlags,
  },
  run: async (context) => {
    const name = oneName(context, 'issuer create');
    const [issuerUrl, jwks, audience, project] = ['issuer', 'jwks', 'audience', 'project'].map((flag) =>
      stringFlag(context, flag),
    );
    const roles = [...new Set(listFlag(context, 'role'))];
    const claims = parseClaims(listFlag(context, 'claims'));
    if (!issuerUrl || !jwks || !audience || !project || roles.length === 0 || claims.size === 0) {
      throw new UsageError(
        'issuer create: needs --issuer, --jwks, --audience, --project, and at least one --claims and one --role',
      );
    }
    const format = chooseFormat(context, formats);
    const allowPrivate = context.values['allow-private'] === true;
    const allowHttp = context.values['allow-http'] === true;
    const source = await readKeySource(jwks, context.cwd, { allowPrivate, allowHttp });
    return await withInstallation(context, { allowEmpty: false }, async (parts) => {
      const { createIssuer } = await import('../identity/federation/issuers.ts');
      const given = { name, issuerUrl, audience, claims, project, roles, allowPrivate, allowHttp, ...source };
      const made = await createIssuer(parts, given);
      await putOnRecord(context, 'identity:create_identity_provider', made.id);
      context.stdout.write(formatOne(await describe(parts, made), format));
      return exitCodes.done;
    });
  },
};

const list: Command = {
  name: 'issuer list',
  summary: 'The issuers whose JWTs are exchanged for tokens.',
  usage: '[flags]',
  example: 'coffer issuer list',
  flags: { ...outputFlag(listFormats), ...installationFlags },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError('issuer list: takes flags alone');
    const format = chooseFormat(context, listFormats);
    return await withInstallation(context, { allowEmpty: false }, async (parts) => {
      const { listIssuers } = await import('../identity/federation/issuers.ts');
      const issuers = await listIssuers(parts);
      const shown = await Promise.all(issuers.map(async (issuer) => await describe(parts, issuer)));
      context.stdout.write(formatList(shown, ['name', 'issuer', 'project', 'roles', 'enabled'], format));
      return exitCodes.done;
    });
  },
};

const show: Command = {
  name: 'issuer show',
  summary: 'One issuer, with all that it asks of a JWT.',
  usage: 'NAME [flags]',
  example: 'coffer issuer show shop-k8s -o json',
  flags: { ...outputFlag(formats), ...installationFlags },
  run: async (context) => {
    const name = oneName(context, 'issuer show');
    const format = chooseFormat(context, formats);
    return await withInstallation(context, { allowEmpty: false }, async (parts) => {
      const { getIssuer } = await import('../identity/federation/issuers.ts');
      context.stdout.write(formatOne(await describe(parts, await getIssuer(parts, name)), format));
      return exitCodes.done;
    });
  },
};

const set: Command = {
  name: 'issuer set',
  summary:
    'Disable or enable an issuer, end its tokens, or give it another key set. On every server within 5 s.',
  usage: 'NAME [--enable | --disable] [--revoke-tokens] [--jwks FILE|URL] [flags]',
  example: 'coffer issuer set shop-k8s --disable',
  flags: {
    enable: { type: 'boolean', description: 'Its JWTs are accepted again.' },
    disable: { type: 'boolean', description: 'Its JWTs and tokens are refused.' },
    'revoke-tokens': { type: 'boolean', description: 'The tokens that there are end; new ones are given.' },
    ...keySetFlag,
    ...outputFlag(formats),
    ...installationFlags,
  },
  run: async (context) => {
    const name = oneName(context, 'issuer set');
    const { enable, disable, 'revoke-tokens': revoke } = context.values;
    const jwks = stringFlag(context, 'jwks');
    if (enable === true && disable === true)
      throw new UsageError('issuer set: --enable or --disable, not both');
    if (![enable, disable, revoke, jwks].some(Boolean))
      throw new UsageError('issuer set: says what to change');
    const format = chooseFormat(context, formats);
    return await withInstallation(context, { allowEmpty: false }, async (parts) => {
      const { changeIssuer, getIssuer } = await import('../identity/federation/issuers.ts');
      const { allow_private: allowPrivate, allow_http: allowHttp } = await getIssuer(parts, name);
      const changed = await changeIssuer(parts, name, {
        ...(enable === true || disable === true ? { enabled: enable === true } : {}),
        ...(revoke === true ? { revokesTokens: true } : {}),
        ...(jwks === undefined ? {} : await readKeySource(jwks, context.cwd, { allowPrivate, allowHttp })),
      });
      await putOnRecord(context, 'identity:update_identity_provider', changed.id);
      context.stdout.write(formatOne(await describe(parts, changed), format));
      return exitCodes.done;
    });
  },
};

const remove: Command = {
  name: 'issuer delete',
  summary: 'Delete an issuer and the user of its tokens, which end.',
  usage: 'NAME [--yes] [flags]',
  example: 'coffer issuer delete shop-k8s',
  flags: { yes: { type: 'boolean', description: 'Do not ask.' }, ...installationFlags },
  run: async (context) => {
    const name = oneName(context, 'issuer delete');
    if (!(await confirmByName(context, name, `This deletes the issuer ${name} and ends its tokens`))) {
      return exitCodes.invalid;
    }
    return await withInstallation(context, { allowEmpty: false }, async (parts) => {
      const { deleteIssuer } = await import('../identity/federation/issuers.ts');
      await putOnRecord(context, 'identity:delete_identity_provider', await deleteIssuer(parts, name));
      return exitCodes.done;
    });
  },
};

function oneName({ positionals: [name, ...more] }: CommandContext, command: string): string {
  if (name === undefined || more.length > 0) throw new UsageError(`${command}: one NAME`);
  return name;
}

async function describe(parts: Parts, issuer: IssuerRow): Promise<Fields> {
  const { demandsOf, decodeRoleIds } = await import('../identity/federation/issuer-record.ts');
  const { nameRoles } = await import('../identity/federation/issuers.ts');
  const { name, issuer_url, jwks_url, audience, project_id } = issuer;
  const project = await parts.keyring.findProject(project_id);
  return {
    id: issuer.id,
    name,
    issuer: issuer_url,
    jwks: jwks_url ?? 'stored',
    audience,
    claims: [...demandsOf(issuer).claims].map((claim) => claim.join('=')).join(' '),
    project: project?.name ?? project_id,
    roles: (await nameRoles(parts, decodeRoleIds(issuer.role_ids))).join(','),
    user: issuer.user_id,
    enabled: String(issuer.enabled),
    tokens_valid_from: issuer.tokens_valid_from?.toISOString() ?? null,
  };
}

export const commands: readonly Command[] = [create, list, show, set, remove, issuerTest];
