import { message } from '../raw-peer.ts';
import type { Dice } from './dice.ts';

type Field = 'flag' | 'number' | 'text' | 'channel' | 'window' | 'request' | 'kind' | 'method' | 'rest';

/** The messages of RFC 4250 section 4.1.2 with their fields. */
const GRAMMAR: readonly (readonly [type: number, ...fields: Field[]])[] = [
  [0],
  [1, 'number', 'text', 'text'],
  [2, 'text'],
  [3, 'number'],
  [4, 'flag', 'text', 'text'],
  [5, 'text'],
  [6, 'text'],
  [7, 'number', 'text', 'text'],
  [20, 'rest'],
  [21],
  [30, 'text'],
  [31, 'text', 'text', 'text'],
  [50, 'text', 'text', 'method', 'flag'],
  [51, 'method', 'flag'],
  [52],
  [53, 'text', 'text'],
  [60, 'text', 'text'],
  [61, 'number', 'text'],
  [80, 'request', 'flag', 'text', 'number'],
  [80, 'request', 'flag'],
  [81],
  [81, 'number'],
  [82],
  [90, 'kind', 'channel', 'window', 'window', 'text', 'number', 'text', 'number'],
  [91, 'channel', 'channel', 'window', 'window'],
  [92, 'channel', 'number', 'text', 'text'],
  [93, 'channel', 'window'],
  [94, 'channel', 'text'],
  [95, 'channel', 'number', 'text'],
  [96, 'channel'],
  [97, 'channel'],
  [98, 'channel', 'request', 'flag', 'rest'],
  [99, 'channel'],
  [100, 'channel'],
  [192, 'rest'],
  [255, 'rest'],
];

const REQUESTS = [
  'keepalive@openssh.com',
  'hostkeys-00@openssh.com',
  'tcpip-forward',
  'exit-status',
  'exit-signal',
  'eow@openssh.com',
  '',
] as const;
const KINDS = ['forwarded-tcpip', 'forwarded-streamlocal@openssh.com', 'session', 'x11', 'direct-tcpip', ''] as const;
const METHODS = ['publickey', 'password', 'keyboard-interactive', 'publickey,password', ''] as const;

/** One message by the grammar, often mutated. */
export function randomMessage(dice: Dice): Buffer {
  const [type, ...fields] = GRAMMAR[dice.below(GRAMMAR.length)] ?? [0];
  const made = message(type, ...fields.map((field) => fieldOf(field, dice)));
  return dice.chance(0.4) ? mutated(made, dice) : made;
}

function fieldOf(field: Field, dice: Dice): Buffer | number | string | boolean {
  switch (field) {
    case 'flag':
      return dice.chance(0.5);
    case 'number':
      return dice.uint32();
    case 'channel':
      // The first channels of a client have small numbers.
      return dice.chance(0.8) ? dice.below(4) : dice.uint32();
    case 'window':
      return dice.chance(0.4) ? 32_768 : dice.uint32();
    case 'text':
      return message(0, dice.text().toString('latin1')).subarray(1);
    case 'request':
      return dice.pick(REQUESTS);
    case 'kind':
      return dice.pick(KINDS);
    case 'method':
      return dice.pick(METHODS);
    case 'rest':
      return dice.text();
  }
}

/** The message cut, longer, with other bytes, or with a number that lies about a length. */
export function mutated(original: Buffer, dice: Dice): Buffer {
  const copy = Buffer.from(original);
  switch (dice.below(4)) {
    case 0:
      return copy.subarray(0, dice.below(copy.length + 1));
    case 1:
      return Buffer.concat([copy, dice.text()]);
    case 2:
      if (copy.length > 4) copy.writeUInt32BE(dice.uint32(), dice.below(copy.length - 3));
      return copy;
    default:
      for (let count = 1 + dice.below(4); count > 0; count--) copy[dice.below(copy.length)] = dice.below(256);
      return copy;
  }
}
