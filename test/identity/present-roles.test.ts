import { afterAll, beforeAll, expect, it } from 'vitest';
import { getRole } from '../../src/identity/administration.ts';
import { assignRole } from '../../src/identity/assignments.ts';
import { changeIssuer, createIssuer, deleteIssuer } from '../../src/identity/federation/issuers.ts';
import { createPresentRoles } from '../../src/identity/present-roles.ts';
import { type Person, type StartedCoffer, startCoffer } from '../harness/start-coffer.ts';

let coffer: StartedCoffer;
let owner: Person;

beforeAll(async () => {
  coffer = await startCoffer();
  owner = await coffer.person(['creator'], 'shop');
});
afterAll(async () => await coffer.stop());

const parts = () => ({ ...coffer.installation, clock: { now: () => new Date() } });

it('gives the roles that a person has', async () => {
  const presentRoles = createPresentRoles(parts());
  const { userId, projectId } = owner;
  expect(await presentRoles({ userId, projectId, credentialId: null })).toEqual(['creator']);
});

it('gives an issuer’s user those of the issuer alone, and none while that is disabled or once it is gone', async () => {
  const issuer = await createIssuer(parts(), {
    name: 'Shop-K8s',
    issuerUrl: 'https://issuer.example.org',
    url: 'https://issuer.example.org/keys',
    keys: null,
    audience: 'coffer-test',
    claims: new Map([['sub', 'system:serviceaccount:shop:web']]),
    project: 'shop',
    roles: ['observer'],
    allowPrivate: false,
    allowHttp: false,
  });
  const creator = await getRole(parts(), 'creator');
  await assignRole(parts(), { id: issuer.user_id }, { id: owner.projectId }, creator);
  const presentRoles = createPresentRoles(parts());
  const now = async () =>
    await presentRoles({ userId: issuer.user_id, projectId: owner.projectId, credentialId: null });
  expect(await now()).toEqual(['observer']);
  await changeIssuer(parts(), 'shop-k8s', { enabled: false });
  expect(await now()).toEqual([]);
  await changeIssuer(parts(), 'shop-k8s', { enabled: true });
  expect(await now()).toEqual(['observer']);
  await deleteIssuer(parts(), 'shop-k8s');
  expect(await now()).toEqual([]);
});
