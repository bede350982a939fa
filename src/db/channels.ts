/** Servers forget what they knew of rights when they hear of a change; nothing rests on their hearing it. */
export const IDENTITY_CHANNEL = 'coffer_identity';
