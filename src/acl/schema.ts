import { checkObject, type ObjectSchema, schemaMismatch } from '../http/json-schema-messages.ts';
import { lengthOf, repr, stripText } from '../http/python-text.ts';

/** What a body says of the read ACL: nothing, either or both. */
export interface AclChange {
  projectAccess?: boolean;
  users?: readonly string[];
}

const NAME = 'ACL';
const USER_LENGTH_MAX = 255;

const ACL: ObjectSchema = { name: NAME, properties: { read: { types: ['object'] } }, closed: true };
const READ: ObjectSchema = {
  name: NAME,
  properties: { users: { types: ['array'] }, 'project-access': { types: ['boolean'] } },
  closed: true,
  within: 'read',
};

/** @throws CofferError `bad_request` for anything else than an ACL with `read` alone. */
export function parseAclChange(body: unknown): AclChange {
  const { read = {} } = checkObject(ACL, body);
  const { users, 'project-access': projectAccess } = checkObject(READ, read) as {
    users?: readonly unknown[];
    'project-access'?: boolean;
  };
  return {
    ...(projectAccess === undefined ? {} : { projectAccess }),
    ...(users === undefined ? {} : { users: [...new Set(users.map(parseUser))] }),
  };
}

/** Barbican looks at the first user alone; here each one is looked at. */
function parseUser(user: unknown): string {
  if (typeof user !== 'string') throw mismatch(`${repr(user)} is not of type 'string'`);
  const id = stripText(user);
  if (lengthOf(id) > USER_LENGTH_MAX) throw mismatch(`${repr(id)} is too long`);
  return id;
}

function mismatch(reason: string): Error {
  return schemaMismatch(NAME, reason, 'read');
}
