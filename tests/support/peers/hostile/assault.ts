import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Connection } from 'ssh2';
import { message } from '../raw-peer.ts';
import type { Dice } from './dice.ts';
import { writable } from './greetings.ts';
import { mutated, randomMessage } from './messages.ts';
import type { Wire } from './wire.ts';

/** One connection of a client that believes in an SSH server. */
export interface Victim {
  readonly connection: Connection;
  readonly socket: Socket;
  readonly wire: Wire;
  readonly dice: Dice;
}

/** Messages in one turn of the event loop. */
const PER_TURN = 100;

async function flood({ socket, wire }: Victim, next: () => Buffer): Promise<void> {
  while (socket.writable) {
    let more = true;
    for (let count = 0; more && count < PER_TURN && socket.writable; count++) more = wire.send(next());
    await (more ? pause(0) : writable(socket));
  }
}

function mutateMessages({ wire, dice }: Victim, probability: number): void {
  wire.onMessage = (payload) => {
    if (!dice.chance(probability)) return [payload];
    switch (dice.below(5)) {
      case 0:
        return [];
      case 1:
        return [payload, payload];
      case 2:
        return [randomMessage(dice), payload];
      default:
        return [mutated(payload, dice)];
    }
  };
}

function mutateBytes({ wire, dice }: Victim, probability: number): void {
  wire.onBytes = (piece) => {
    if (!dice.chance(probability)) return [piece];
    if (dice.chance(0.3)) return [piece.subarray(0, dice.below(piece.length + 1))];
    if (dice.chance(0.3)) return [piece, dice.bytes(1 + dice.below(100))];
    const at = dice.below(piece.length);
    piece[at] = (piece[at] ?? 0) ^ (1 << dice.below(8));
    return [piece];
  };
}

/** What a server may do before the login, from its first packet on. */
export const BEFORE_LOGIN: Readonly<Record<string, (victim: Victim) => unknown>> = {
  'mutated messages': (victim) => mutateMessages(victim, 0.1 + 0.4 * victim.dice.below(2)),
  'mutated bytes': (victim) => mutateBytes(victim, 0.3),
  'messages in between': ({ wire, dice }) => {
    wire.onMessage = (payload) => [...Array.from({ length: dice.below(20) }, () => randomMessage(dice)), payload];
  },
  'messages in tiny pieces': ({ wire, dice }) => {
    wire.onBytes = (piece) => {
      const size = 1 + dice.below(8);
      return Array.from({ length: Math.ceil(piece.length / size) }, (_, n) => piece.subarray(n * size, (n + 1) * size));
    };
  },
  'a flood': (victim) => {
    const same = randomMessage(victim.dice);
    setTimeout(() => void flood(victim, () => same), victim.dice.below(30));
  },
  'an end in between': ({ socket, dice }) => setTimeout(() => socket.end(), dice.below(40)),
  'silence in between': ({ wire, dice }) => setTimeout(() => (wire.onBytes = () => []), dice.below(40)),
};

/** What a server may do after the login. */
export const AFTER_LOGIN: Readonly<Record<string, (victim: Victim) => unknown>> = {
  'one message': ({ wire, dice }) => wire.send(randomMessage(dice)),
  'random messages': async ({ wire, dice, socket }) => {
    for (let count = dice.below(60); count > 0 && socket.writable; count--) {
      wire.send(randomMessage(dice));
      if (dice.chance(0.1)) await pause(1);
    }
  },
  'a flood of one message': (victim) => {
    const same = randomMessage(victim.dice);
    return flood(victim, () => same);
  },
  'a flood of random messages': (victim) => flood(victim, () => randomMessage(victim.dice)),
  'a flood that reads nothing': (victim) => {
    victim.socket.pause();
    const same = randomMessage(victim.dice);
    return flood(victim, () => same);
  },
  'mutated answers': (victim) => mutateMessages(victim, 0.4),
  'mutated bytes': (victim) => mutateBytes(victim, 0.2),
  'wrong confirmations': ({ wire, dice }) => {
    for (let count = 1 + dice.below(30); count > 0; count--)
      wire.send(message(91, dice.below(6), dice.below(3), dice.uint32(), dice.uint32()));
  },
  'channels with the same number': ({ wire, dice }) => {
    const open = message(
      90,
      'forwarded-tcpip',
      dice.below(3),
      dice.uint32(),
      32_768,
      '127.0.0.1',
      7_000,
      '127.0.0.1',
      9,
    );
    for (let count = 1 + dice.below(100); count > 0; count--) wire.send(open);
  },
  'wrong windows': ({ wire, dice }) => {
    for (let count = 1 + dice.below(100); count > 0; count--) wire.send(message(93, dice.below(3), dice.uint32()));
  },
  'data without end': (victim) => {
    const data = message(94, victim.dice.below(2), 'x'.repeat(1 + victim.dice.below(32_000)));
    return flood(victim, () => data);
  },
  'ends and closes in any order': ({ wire, dice }) => {
    for (let count = 1 + dice.below(40); count > 0; count--) wire.send(message(96 + dice.below(2), dice.below(3)));
  },
  'key exchanges without end': ({ connection, socket }) => {
    const again = () => socket.writable && connection.rekey(again);
    again();
  },
  'a key exchange with mutated messages': (victim) => {
    mutateMessages(victim, 0.3);
    victim.connection.rekey();
  },
  'half a key exchange': ({ connection, wire }) => {
    connection.rekey();
    wire.onMessage = () => [];
  },
  'noise on the wire': ({ socket, dice }) => socket.write(dice.bytes(1 + dice.below(2_000))),
  'an end': ({ socket, dice }) => (dice.chance(0.5) ? socket.end() : socket.resetAndDestroy()),
  silence: ({ wire }) => {
    wire.onBytes = () => [];
  },
};
