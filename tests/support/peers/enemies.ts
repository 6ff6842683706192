import type { Connection } from 'ssh2';
import { CHANNEL_ATTACKS, FLOODS } from './attacks.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from './embedded-sshd.ts';
import { type RawPeer, rawPeer } from './raw-peer.ts';

/** Every attack after a login. Those on a channel are on the first one. */
export const ATTACKS: ReadonlyMap<string, (peer: RawPeer) => void> = new Map([
  ...Object.entries(FLOODS),
  ...Object.entries(CHANNEL_ATTACKS).map(([name, attack]) => [name, (peer: RawPeer) => attack(peer, 0)] as const),
]);

/** Servers that attack their clients when the test says so. */
export interface Enemies extends AsyncDisposable {
  /** One for each attack, by its name. */
  readonly servers: ReadonlyMap<string, EmbeddedSshd>;
  /** Attacks the sessions that are open at one server. */
  attack(name: string): void;
  /** From now on, every server attacks each session right after the login. */
  attackForEver(): void;
}

export async function startEnemies(): Promise<Enemies> {
  let forEver = false;
  const servers = new Map<string, EmbeddedSshd>();
  const strike = (name: string, connection: Connection) => ATTACKS.get(name)?.(rawPeer(connection));
  const attack = (name: string) => {
    for (const connection of servers.get(name)?.connections ?? []) strike(name, connection);
  };
  for (const name of ATTACKS.keys())
    servers.set(name, await startEmbeddedSshd({ onLogin: (connection) => forEver && strike(name, connection) }));
  return {
    servers,
    attack,
    attackForEver: () => {
      forEver = true;
      for (const name of servers.keys()) attack(name);
    },
    [Symbol.asyncDispose]: async () => {
      for (const server of servers.values()) await server[Symbol.asyncDispose]();
    },
  };
}
