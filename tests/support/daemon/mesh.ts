import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '../../../src/base/errors.ts';
import type { Status, TunnelStatus } from '../../../src/telemetry/status/status.ts';
import { type HttpAnswer, httpGet } from '../clients/http-get.ts';
import { type FleetConfig, writeFleetConfig } from '../fakes/fleet-config.ts';
import { freePort } from '../peers/loopback.ts';
import type { Sshd } from '../peers/real-sshd.ts';
import { waitUntil } from '../wait-until.ts';
import { type Daemon, startDaemon } from './daemon.ts';

/**
 * Fields of one tunnel as in the YAML; a number as `target` or `listen` is a port on loopback, `listen` is a free one
 * if not given.
 */
export type MeshTunnel = Record<string, unknown> & { readonly target?: number | string; readonly direction?: string };

/** The server that the host of the YAML leads to. */
export type MeshSshd = Pick<Sshd, 'port' | 'user' | 'directory' | 'knownHostsFile' | 'clientKeyFile'>;

export interface MeshOptions {
  readonly sshd: MeshSshd;
  readonly tunnels: Readonly<Record<string, MeshTunnel>>;
  /** Changed fields of the host: `port` of a fault proxy, `sessions`, `keepalive`… */
  readonly host?: Readonly<Record<string, unknown>>;
  readonly actor?: Readonly<Record<string, unknown>>;
  /** More hosts and actors, written as in the YAML. */
  readonly hosts?: FleetConfig['hosts'];
  readonly actors?: FleetConfig['actors'];
  /** More keys at the top level. */
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly env?: Record<string, string | undefined>;
  /** A wrapper command that runs the daemon from its arguments. */
  readonly wrapper?: readonly string[];
  /** Options of Node, before the program. */
  readonly nodeOptions?: readonly string[];
}

/** The settings that a reload may change. */
export type MeshChange = Pick<MeshOptions, 'tunnels' | 'host' | 'actor' | 'hosts' | 'actors' | 'extra'>;

/** The built daemon with its YAML and a lab sshd. Every returned status has been checked against the schema. */
export interface Mesh extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly configFile: string;
  readonly endpointPort: number;
  /** The listen address of a tunnel. */
  port(tunnel: string): number;
  /** Waits for a valid status that matches the predicate. */
  waitFor(predicate: (status: Status) => boolean, ms?: number): Promise<Status>;
  /** Waits until the tunnel (default: the first one) has the state, and returns the tunnel. */
  waitForTunnel(state: TunnelStatus['state'], name?: string, ms?: number): Promise<TunnelStatus>;
  /**
   * Waits until the tunnel (default: the first one) is `down` for this reason, and returns the tunnel.
   * The state alone is not enough after a start: a tunnel is `down` before its first attempt to listen.
   */
  waitForDown(code: ErrorCode, name?: string, ms?: number): Promise<TunnelStatus>;
  /** SIGHUP, and waits for the outcome. */
  reload(): Promise<Status>;
  /** Waits until the endpoint answers on another port. */
  answersOn(port: number): Promise<HttpAnswer>;
  /** Rewrites the YAML without a reload. Omitted settings stay unchanged. */
  write(change: Partial<MeshChange>): Promise<void>;
  /** Replaces the YAML by this text. */
  writeRaw(text: string): void;
  /** Sum over the series of a metric (without prefix) whose labels include the given ones. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

export async function startMesh(options: MeshOptions): Promise<Mesh> {
  const { sshd } = options;
  const endpointPort = await freePort();
  const ports = new Map<string, number>();
  let plan: MeshChange = options;
  const first = () => Object.keys(plan.tunnels)[0] ?? '';

  const write = async (change: Partial<MeshChange>): Promise<string> => {
    plan = { ...plan, ...change };
    const tunnels: Record<string, Record<string, unknown>> = {};
    for (const [name, { target, listen, ...rest }] of Object.entries(plan.tunnels)) {
      const port = typeof listen === 'number' ? listen : (ports.get(name) ?? (await freePort()));
      ports.set(name, port);
      tunnels[name] = {
        listen: typeof listen === 'string' ? listen : `127.0.0.1:${port}`,
        ...(target === undefined ? {} : { target: typeof target === 'number' ? `127.0.0.1:${target}` : target }),
        ...rest,
      };
    }
    const config: FleetConfig = {
      endpointPort,
      host: { port: sshd.port, user: sshd.user, known_hosts: sshd.knownHostsFile, ...plan.host },
      actor: { key: sshd.clientKeyFile, ...plan.actor },
      tunnels,
      hosts: plan.hosts ?? {},
      actors: plan.actors ?? {},
      extra: { stop_grace: '500ms', ...plan.extra },
    };
    return writeFleetConfig(sshd.directory, config);
  };

  const configFile = await write({});
  const { env = {}, wrapper = [], nodeOptions = [] } = options;
  const daemon = startDaemon({ configFile, endpointPort, env, wrapper, nodeOptions });
  // The endpoint answers a moment before the daemon has its tunnels: nothing is true of none of them.
  const hasBegun = ({ tunnels }: Status) => tunnels.length > 0 || Object.keys(plan.tunnels).length === 0;
  const waitFor = async (predicate: (status: Status) => boolean, ms?: number) =>
    validStatus(await daemon.waitFor((status) => hasBegun(status) && predicate(status), ms));
  return {
    daemon,
    configFile,
    endpointPort,
    port: (tunnel) => ports.get(tunnel) ?? 0,
    waitFor,
    waitForTunnel: async (state, name = first(), ms?) =>
      tunnelOf(await waitFor((status) => findTunnel(status, name)?.state === state, ms), name),
    waitForDown: async (code, name = first(), ms?) => {
      const isDown = (tunnel?: TunnelStatus) => tunnel?.state === 'down' && tunnel.last_error?.code === code;
      return tunnelOf(await waitFor((status) => isDown(findTunnel(status, name)), ms), name);
    },
    reload: async () => {
      const before = (await daemon.status()).config.last_reload?.at.getTime();
      daemon.signal('SIGHUP');
      return waitFor(({ config }) => config.last_reload !== null && config.last_reload.at.getTime() !== before);
    },
    answersOn: (port) =>
      waitUntil(`the endpoint answers on port ${port}`, () =>
        httpGet(`http://127.0.0.1:${port}/livez`).catch(() => undefined),
      ),
    write: async (change) => {
      await write(change);
    },
    writeRaw: (text) => writeFileSync(configFile, text),
    metric: async (name, labels = {}) => {
      const { body } = await daemon.get('/metrics', { accept: 'text/plain' });
      return sumOf(body, `fleet_mesh_${name}`, labels);
    },
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

/** Everything that is not up has a reason. Throws otherwise. */
function validStatus(valid: Status): Status {
  for (const { name, state, reason } of valid.tunnels) {
    if (state !== 'up' && !reason) throw new Error(`tunnel ${name} is ${state} and does not say why`);
  }
  if (valid.state !== 'up' && !valid.reason) throw new Error(`the node is ${valid.state} and does not say why`);
  return valid;
}

export function findTunnel(status: Status, name: string): TunnelStatus | undefined {
  return status.tunnels.find((tunnel) => tunnel.name === name);
}

export function tunnelOf(status: Status, name: string): TunnelStatus {
  const tunnel = findTunnel(status, name);
  if (tunnel === undefined) throw new Error(`there is no tunnel ${name}`);
  return tunnel;
}

/** Whether the tunnel is degraded for this reason. */
export function showsReason({ state, reason }: TunnelStatus, wanted: RegExp): boolean {
  return state === 'degraded' && wanted.test(reason ?? '');
}

/** The link of a mesh, which has only one. */
export function linkOf(status: Status): Status['links'][number] {
  const [link] = status.links;
  if (link === undefined) throw new Error('there is no link');
  return link;
}

/** The sessions of the link by number. A busy machine opens a spare one beside them, and none of these may be missing. */
export function sessionIds(status: Status): number[] {
  return linkOf(status).sessions.map(({ id }) => id);
}

/** Whether the link is up with this number of sessions, without draining ones, and no session must be replaced. */
export function hasSessions(count: number): (status: Status) => boolean {
  return (status) =>
    status.links.length > 0 &&
    status.links.every(
      ({ state, replacement, sessions }) =>
        state === 'up' && replacement === null && sessions.filter(({ role }) => role !== 'draining').length === count,
    );
}

function sumOf(page: string, name: string, labels: Readonly<Record<string, string>>): number {
  let sum = 0;
  for (const line of page.split('\n')) {
    const [, found, own = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const matches = Object.entries(labels).every(([key, text]) => own.split(',').includes(`${key}="${text}"`));
    if (found === name && matches) sum += Number(value);
  }
  return sum;
}

/** Writes a known_hosts file with the keys of the server for the port of a proxy. Returns the path. */
export function knownBehind(sshd: Sshd, port: number): string {
  const path = join(sshd.directory, `known_hosts_${port}`);
  writeFileSync(
    path,
    sshd
      .hostKeys()
      .map((key) => `[127.0.0.1]:${port} ${key.publicKey}\n`)
      .join(''),
  );
  return path;
}
