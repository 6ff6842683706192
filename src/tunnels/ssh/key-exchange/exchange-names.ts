import { WireReader, wireString } from '../wire.ts';

/** Where the name-lists of SSH_MSG_KEXINIT begin: after the message number and the cookie (RFC 4253 section 7.1). */
const LISTS_AT = 17;

/** The key exchange methods of an SSH_MSG_KEXINIT, in order. Throws WireError for a malformed message. */
export function exchangeNames(payload: Buffer): readonly string[] {
  return readNames(payload).names;
}

/** The same SSH_MSG_KEXINIT with other key exchange methods. Throws WireError for a malformed message. */
export function withExchangeNames(payload: Buffer, names: readonly string[]): Buffer {
  const { end } = readNames(payload);
  return Buffer.concat([payload.subarray(0, LISTS_AT), wireString(names.join(',')), payload.subarray(end)]);
}

function readNames(payload: Buffer): { readonly names: readonly string[]; readonly end: number } {
  const reader = new WireReader(payload);
  reader.bytes(LISTS_AT);
  return { names: reader.text().split(','), end: reader.position };
}
