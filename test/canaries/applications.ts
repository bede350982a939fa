import { ask, asJson, type Answer } from '../serve/ask.ts';
import type { CanaryValues } from './canary-values.ts';

/**
 * Redeems a code, makes credentials and logs in by them, rightly and wrongly, every secret a canary. Gives
 * what was answered but for the answers that a secret belongs in.
 */
export async function useApplications(
  url: string,
  token: string,
  code: string,
  canaries: CanaryValues,
): Promise<string[]> {
  const answers: string[] = [];
  const keep = (answer: Answer): void => {
    answers.push(JSON.stringify([...answer.headers]), answer.text);
  };
  const text = code.split('@')[0] ?? '';
  canaries.know('a redemption code', text);
  const redeem = async (given: unknown) => await ask(`${url}/v2/redemptions`, asJson({ code: given }));
  const redeemed = await redeem(text);
  if (redeemed.status !== 201) throw new Error(`redemption: ${redeemed.status} ${redeemed.text}`);
  const { id, secret } = redeemed.json as { id: string; secret: string };
  canaries.know('the secret of an application', secret);

  const logIn = async (credential: object): Promise<Answer> => {
    const identity = { methods: ['application_credential'], application_credential: credential };
    return await ask(`${url}/identity/v3/auth/tokens`, asJson({ auth: { identity } }));
  };
  const first = await logIn({ id, secret });
  if (first.status !== 201) throw new Error(`log-in: ${first.status} ${first.text}`);
  answers.push(first.text);
  keep(await logIn({ id, secret: canaries.word('a wrong secret of an application') }));
  keep(await logIn({ id: secret, secret: id }));
  keep(await logIn({ name: secret, secret, user: { id: 'nobody' } }));
  keep(await logIn({ id, secret: [secret] }));

  const self = (await ask(`${url}/identity/v3/auth/tokens`, { token, headers: { 'x-subject-token': token } }))
    .json;
  const list = `${url}/identity/v3/users/${self.token.user.id}/application_credentials`;
  const create = async (fields: object): Promise<Answer> =>
    await ask(list, { ...asJson({ application_credential: fields }), token });
  const own = canaries.word('a secret of a user’s own');
  const made = await create({ name: 'own', secret: `${own}${own}` });
  if (made.status !== 201) throw new Error(`creation: ${made.status} ${made.text}`);
  for (const fields of [
    { name: 'own', secret: `${own}${own}` },
    { name: 'wrong', secret: own.slice(0, 31) },
    { name: 'wrong', secret: [own] },
    { name: 'wrong', roles: own },
    { name: 'wrong', roles: [{ name: own }] },
    { name: 'wrong', expires_at: own },
    { name: 'wrong', access_rules: [{ service: own, method: own, path: own }] },
    { name: 'wrong', [own]: own },
  ]) {
    keep(await create(fields));
  }
  keep(await ask(list, { token }));
  keep(await ask(`${list}/${made.json.application_credential.id}`, { token }));
  keep(await redeem(text));
  keep(await redeem(canaries.word('a code that is none')));
  keep(await redeem([text]));
  keep(await logIn({ id, secret }));
  return answers;
}
