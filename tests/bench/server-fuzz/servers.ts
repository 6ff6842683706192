import { embeddedKey } from '../../support/peers/embedded-key.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../support/peers/embedded-sshd.ts';
import { startHostileServer } from '../../support/peers/hostile/hostile-server.ts';
import type { LoopbackServer } from '../../support/peers/loopback.ts';
import { startEcho } from '../../support/peers/targets.ts';

/** A process of hostile servers, or with `honest` of one honest server: a fault in one does not disturb the client's numbers. */
export type ToServers = { readonly start: number; readonly seed: number } | { readonly stop: number };

/** What the process says first, and when a hostile server listens. `echo`: the port of an echo service. */
export type Honest = Pick<EmbeddedSshd, 'port' | 'user' | 'knownHostsFile' | 'clientKeyFile'> & {
  readonly echo: number;
};
export type Hostile = { readonly hostKey: string; readonly echo: number };
export type Started = { readonly started: number; readonly port: number };

const tell = (message: Honest | Hostile | Started) => void process.send?.(message);
const { port: echo } = await startEcho();

if (process.argv[2] === 'honest') {
  const { port, knownHostsFile, clientKeyFile, user } = await startEmbeddedSshd();
  tell({ knownHostsFile, port, clientKeyFile, user, echo });
} else {
  const hostKey = embeddedKey();
  const running = new Map<number, LoopbackServer>();
  // The server's own library does not expect what the server sends.
  process.on('uncaughtException', () => {});
  process.on('unhandledRejection', () => {});
  process.on('message', async (message: ToServers) => {
    if ('start' in message) {
      const server = await startHostileServer(message.seed, hostKey);
      running.set(message.start, server);
      tell({ started: message.start, port: server.port });
    } else {
      await running.get(message.stop)?.stop();
      running.delete(message.stop);
    }
  });
  tell({ hostKey: hostKey.public, echo });
}
process.on('disconnect', () => process.exit());
