import { printable } from '../../base/text/printable.ts';
import { parseKexInit, type ServerOffer } from './key-exchange-start.ts';
import { MESSAGE } from './message.ts';

/** Characters of the server's list in a message. */
const MOST_CHARACTERS = 600;
const IDENTIFICATION_LINE = /^SSH-[^\n]*\n/m;

/** The server's SSH_MSG_KEXINIT in the first bytes that a server sent; undefined when it is not there, or damaged. */
export function serverOffer(received: Buffer): ServerOffer | undefined {
  const text = received.toString('latin1');
  const line = IDENTIFICATION_LINE.exec(text);
  if (!line) return undefined;
  const start = line.index + line[0].length;
  const packet = received.subarray(start);
  if (packet.length < 6) return undefined;
  const payload = packet.subarray(5, 4 + packet.readUInt32BE() - packet.readUInt8(4));
  if (payload[0] !== MESSAGE.kexInit) return undefined;
  try {
    return parseKexInit(payload);
  } catch {
    return undefined;
  }
}

/** Our lists, as for ssh2. A list that is missing is not compared. */
interface Ours {
  readonly kex?: unknown;
  readonly serverHostKey?: unknown;
  readonly cipher?: unknown;
  readonly hmac?: unknown;
}

/** The first list without a common name, as a sentence with both lists; undefined when every list has a common name. */
export function disagreement(theirs: ServerOffer, ours: Ours): string | undefined {
  const lists: readonly (readonly [string, readonly string[], unknown])[] = [
    ['key exchange', theirs.exchanges, ours.kex],
    ['host key', theirs.hostKeys, ours.serverHostKey],
    ['cipher', theirs.ciphersToServer, ours.cipher],
    ['cipher', theirs.ciphersToClient, ours.cipher],
    ['MAC', theirs.macsToServer, ours.hmac],
    ['MAC', theirs.macsToClient, ours.hmac],
  ];
  for (const [what, offered, own] of lists) {
    if (!Array.isArray(own) || offered.some((name) => own.includes(name))) continue;
    const list = printable(offered.join(', '), MOST_CHARACTERS);
    return `no ${what} in common. The server offers: ${list}. This node offers: ${own.join(', ')}`;
  }
  return undefined;
}
