import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LinkStatus } from '../../src/telemetry/status/status.ts';
import { Cleanup } from '../support/cleanup.ts';
import { echoOnce } from '../support/clients/steady-client.ts';
import { hasSessions, type Mesh, type MeshTunnel, startMesh } from '../support/daemon/mesh.ts';
import { childrenOf, descendantsOf } from '../support/machine/proc.ts';
import type { Entrance } from '../support/peers/entrance.ts';
import { FaultProxy } from '../support/peers/fault-proxy.ts';
import type { LoopbackServer } from '../support/peers/loopback.ts';
import { type PacedSource, startPacedSource } from '../support/peers/paced-source.ts';
import { type Sshd, type SshdOptions, startSshd } from '../support/peers/real-sshd.ts';
import { startEcho } from '../support/peers/targets.ts';
import { waitUntil } from '../support/wait-until.ts';
import { LOCAL, targetSocket, type Way } from './way.ts';

export interface StageOptions {
  readonly sshd?: SshdOptions;
  /** Fields of the host that differ. */
  readonly host?: {
    readonly address?: string;
    readonly port?: number;
    readonly sessions?: number;
    readonly keepalive?: { readonly every: string; readonly lost_after: number };
    readonly connect_timeout?: string;
  };
  /** Fields of the tunnel to the echo that differ. */
  readonly echo?: Readonly<Record<string, unknown>>;
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly env?: Record<string, string | undefined>;
  readonly wrapper?: (directory: string) => readonly string[];
  /** Options of Node, before the program. */
  readonly nodeOptions?: readonly string[];
  /** Further tunnels. */
  readonly more?: Readonly<Record<string, MeshTunnel>>;
  /** What kind of tunnel it is. Default: a local one. */
  readonly way?: Way;
}

/** Where a fault strikes: the built daemon, its link to a real sshd through a fault proxy, and two targets behind that. */
export interface Stage extends AsyncDisposable {
  /** The sshd that the faults strike, behind the fault proxy: the jump host where there is one. */
  readonly sshd: Sshd;
  /** The sshd that the tunnels end at. */
  readonly lastHop: Sshd;
  readonly proxy: FaultProxy;
  readonly mesh: Mesh;
  /** Target of the tunnel `echo`; replaced when a row restarts it. */
  echo: LoopbackServer;
  /** Target of the tunnel `stream`. */
  readonly source: PacedSource;
  readonly sessions: number;
  readonly tunnels: Readonly<Record<'echo' | 'stream', MeshTunnel>>;
  entrance(tunnel: 'echo' | 'stream'): Entrance;
  /** The sshd processes of each session, oldest session first: the first one is the active one. */
  sessionPids(): number[][];
  /** Writes sshd's present host keys into the daemon's known_hosts. */
  trustHostKeys(): void;
}

/**
 * Faster than the defaults, where those are not the point: a ring of hundreds of waits has to end. Not so fast that a busy
 * machine loses sessions that no fault has struck.
 */
const FAST_HOST = { sessions: 2, keepalive: { every: '500ms', lost_after: 6 }, connect_timeout: '3s' };
const FAST_PROBE = { tcp: {}, every: '1s', timeout: '500ms', fall: 2, rise: 1 };

/** The host behind a jump host: the one is healthy, and the other is what the faults strike. */
function behind(jump: Sshd, struck: Readonly<Record<string, unknown>>) {
  return {
    host: { ...FAST_HOST, jump: { host: 'bastion', actor: 'agt-bastion' } },
    hosts: { bastion: { address: '127.0.0.1', user: jump.user, ...struck } },
    actors: { 'agt-bastion': { key: jump.clientKeyFile } },
  };
}

const carrying = ({ host, sessions }: LinkStatus) =>
  host === 'bastion' ? sessions.map(({ connections }) => connections) : [];

/** Started, warmed up, and at rest. */
export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const cleanup = new Cleanup();
  try {
    const { way = LOCAL } = options;
    const sshd = cleanup.use(await startSshd(options.sshd));
    const lastHop = way.jump ? cleanup.use(await startSshd()) : sshd;
    const proxy = cleanup.use(await FaultProxy.start(sshd.port));
    const { directory } = lastHop;
    const socket = (tunnel: string) => (way.unixTargets ? { path: targetSocket(directory, tunnel) } : undefined);
    const echo = cleanup.use(await startEcho(socket('echo')));
    const source = cleanup.use(await startPacedSource(socket('stream')));
    const knownHosts = join(sshd.directory, 'known_hosts_of_the_daemon');
    const address = options.host?.address ?? '127.0.0.1';
    const port = options.host?.port ?? proxy.port;
    const trustHostKeys = () =>
      writeFileSync(
        knownHosts,
        sshd
          .hostKeys()
          .map(({ publicKey }) => `[${address}]:${port} ${publicKey}\n`)
          .join(''),
      );
    trustHostKeys();
    const struck = { port, known_hosts: knownHosts, ...FAST_HOST, ...options.host };
    const { sessions } = struck;
    const places = {
      echo: { tunnel: 'echo', directory, port: echo.port },
      stream: { tunnel: 'stream', directory, port: source.port },
    };
    const own = way.tunnel(places.echo);
    const tunnels = {
      echo: {
        ...own,
        production: true,
        ...(own.direction === 'dynamic' ? {} : { probe: FAST_PROBE }),
        ...(own.direction === 'remote' ? {} : { while_down: { hold: '30s', limit: 2_000 } }),
        ...options.echo,
      },
      stream: way.tunnel(places.stream),
    };
    const hosts = way.jump ? behind(sshd, struck) : { host: struck };
    const { extra = {}, env = {}, wrapper = () => [], nodeOptions = [] } = options;
    const mesh = cleanup.use(
      await startMesh({
        sshd: lastHop,
        tunnels: { ...tunnels, ...options.more },
        ...hosts,
        extra,
        env,
        wrapper: wrapper(sshd.directory),
        nodeOptions,
      }),
    );
    const stage: Stage = {
      sshd,
      lastHop,
      proxy,
      mesh,
      echo,
      source,
      sessions,
      tunnels,
      entrance: (tunnel) => way.entrance(places[tunnel], mesh.port(tunnel)),
      sessionPids: () => childrenOf(sshd.pid()).map((pid) => [pid, ...descendantsOf(pid)]),
      trustHostKeys,
      [Symbol.asyncDispose]: () => cleanup[Symbol.asyncDispose](),
    };
    // The one that a row may have put into the first one's place.
    cleanup.use({ [Symbol.asyncDispose]: () => (stage.echo === echo ? Promise.resolve() : stage.echo.stop()) });
    await mesh.waitFor(hasSessions(sessions));
    await mesh.waitFor((status) => status.tunnels.every(({ state }) => state === 'up'));
    // At rest a jump host's sessions carry one each.
    if (way.jump) await mesh.waitFor(({ links }) => links.flatMap(carrying).every((connections) => connections === 1));
    await waitUntil('the echo answers', () => echoOnce(stage.entrance('echo')).catch(() => undefined));
    return stage;
  } catch (error) {
    await cleanup[Symbol.asyncDispose]();
    throw error;
  }
}
