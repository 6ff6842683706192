import { connect, type Socket } from 'node:net';
import ssh2, { type Connection } from 'ssh2';
import type { EmbeddedKey } from '../embedded-key.ts';
import { type LoopbackServer, listenLoopback } from '../loopback.ts';
import { AFTER_LOGIN, BEFORE_LOGIN, type Victim } from './assault.ts';
import { Dice } from './dice.ts';
import { GREETINGS } from './greetings.ts';
import { Wire } from './wire.ts';

type Choice =
  | { readonly phase: 'greeting'; readonly name: string; readonly act: (socket: Socket, dice: Dice) => unknown }
  | {
      readonly phase: 'before the login' | 'after the login';
      readonly name: string;
      readonly act: (victim: Victim) => unknown;
    };

/** The seed of a server without any attack. */
export const HONEST = 0;

const CHOICES: readonly Choice[] = [
  ...Object.entries(GREETINGS).map(([name, act]) => ({ phase: 'greeting', name, act }) as const),
  ...Object.entries(BEFORE_LOGIN).map(([name, act]) => ({ phase: 'before the login', name, act }) as const),
  ...Object.entries(AFTER_LOGIN).map(([name, act]) => ({ phase: 'after the login', name, act }) as const),
];

/** Consecutive seeds make every attack. */
function choose(seed: number): Choice {
  const choice = seed === HONEST ? undefined : CHOICES[seed % CHOICES.length];
  return choice ?? { phase: 'after the login', name: 'nothing', act: () => {} };
}

/** What the server of a seed does, in words. */
export function describeCase(seed: number): string {
  const { phase, name } = choose(seed);
  return `${phase}: ${name}`;
}

/** A server of ssh2 that attacks each client as the seed says. Every key is accepted. */
export async function startHostileServer(seed: number, hostKey: EmbeddedKey): Promise<LoopbackServer> {
  const sockets: Socket[] = [];
  const dice = new Dice(seed);
  const choice = choose(seed);
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (connection) => {
    const socket = sockets.shift();
    if (socket && choice.phase !== 'greeting') serve(connection, socket, choice, dice);
  });
  return listenLoopback(
    (socket) => {
      if (choice.phase === 'greeting') void choice.act(socket, dice);
      else {
        sockets.push(socket);
        server.injectSocket(socket);
      }
    },
    { allowHalfOpen: false, noDelay: true },
  );
}

function serve(
  connection: Connection,
  socket: Socket,
  { phase, act }: Exclude<Choice, { phase: 'greeting' }>,
  dice: Dice,
): void {
  const victim: Victim = { connection, socket, wire: new Wire(connection, socket), dice };
  connection.on('error', () => socket.destroy());
  connection.on('authentication', (context) => context.accept());
  connection.on('request', (accept) => accept?.());
  connection.on('tcpip', (accept, reject, { destIP, destPort }) => {
    const target = connect({ host: destIP, port: destPort });
    target.once('error', reject).once('connect', () => {
      const channel = accept();
      target.on('error', () => channel.close());
      channel.on('error', () => target.destroy()).once('close', () => target.destroy());
      channel.pipe(target).pipe(channel);
    });
  });
  if (phase === 'before the login') void act(victim);
  // A channel is open by then.
  else connection.once('ready', () => setTimeout(() => void act(victim), 5 + dice.below(30)));
}
