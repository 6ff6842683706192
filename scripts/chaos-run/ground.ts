import { connect } from 'node:net';
import { type Stage, startStage } from '../../tests/faults/stage.ts';
import { Cleanup } from '../../tests/support/cleanup.ts';
import { GREETING, socksRequest } from '../../tests/support/clients/socks-client.ts';
import { echoOnce } from '../../tests/support/clients/steady-client.ts';
import { unitNodeOptions } from '../../tests/support/daemon/unit-node-options.ts';
import { canMount } from '../../tests/support/machine/can-mount.ts';
import { type HungResolver, startHungResolver } from '../../tests/support/peers/hung-resolver.ts';
import { type SlowTarget, startSlowTarget } from '../../tests/support/peers/slow-target.ts';

/** Where the faults of chaos strike: the stage, and what some faults need beside it. */
export interface Ground extends AsyncDisposable {
  readonly stage: Stage;
  /** The name server of the host; undefined where this machine allows no mount namespace. */
  readonly resolver: HungResolver | undefined;
  readonly slow: SlowTarget;
  /** performance.now() of each moment at which a fault ended connections. */
  readonly cuts: readonly number[];
  /** A fault ends connections now. */
  cut(): void;
  /** Asks the dynamic tunnel for a name. Returns how the client leaves. */
  ask(name: string): () => void;
  /** One client of the slow target. Rejects unless the client is served. */
  askSlow(): Promise<number>;
}

/** The default keepalive: a session ends after 15 s of silence. Longer than any request waits for a channel. */
const HOST = { keepalive: { every: '5s', lost_after: 3 }, connect_timeout: '5s' };
const SLOW_CLIENT_MS = 20_000;

export async function startGround(): Promise<Ground> {
  const cleanup = new Cleanup();
  try {
    const resolver = canMount() ? cleanup.use(await startHungResolver()) : undefined;
    const slow = cleanup.use(await startSlowTarget());
    const more = { names: { direction: 'dynamic', allow: ['*:*'] }, slow: { target: slow.port } };
    const sshd = resolver ? { sshd: { wrapper: resolver.wrapper() } } : {};
    const stage = cleanup.use(await startStage({ host: HOST, more, nodeOptions: unitNodeOptions(), ...sshd }));
    const cuts: number[] = [];
    return {
      stage,
      resolver,
      slow,
      cuts,
      cut: () => void cuts.push(performance.now()),
      ask: (name) => {
        const socket = connect({ host: '127.0.0.1', port: stage.mesh.port('names') });
        socket.on('error', () => {}).resume();
        socket.write(Buffer.concat([GREETING, socksRequest(name, 80)]));
        return () => socket.destroy();
      },
      askSlow: () => echoOnce(stage.mesh.port('slow'), 'slow', SLOW_CLIENT_MS),
      [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
    };
  } catch (error) {
    await cleanup[Symbol.asyncDispose]();
    throw error;
  }
}
