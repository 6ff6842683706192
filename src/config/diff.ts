import { isDeepStrictEqual } from 'node:util';
import type { Config, TunnelConfig } from './config.ts';
import { jumpOf, linksOf, wayTo } from './way.ts';

/** The changes of a reload. Everything not listed stays untouched. */
export interface ConfigDiff {
  /** Names of tunnels, in the order of the file. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Tunnels in both files, and their differences. */
  readonly changed: ReadonlyMap<string, ReadonlySet<TunnelAspect>>;
  /** Links that are in use before and after and have changed parameters. Jump hosts first. */
  readonly links: readonly LinkChange[];
  /** Settings of the daemon as a whole. */
  readonly daemon: ReadonlySet<DaemonAspect>;
}

/**
 * `listen`: bind again. `target` (or `allow`): for new connections only. `link`: another host or actor. `probe`, `label`
 * (note, production), `drain` and `limits` (while_down, max_connections) do not affect open connections.
 */
export type TunnelAspect = 'listen' | 'target' | 'link' | 'probe' | 'label' | 'drain' | 'limits';

export type DaemonAspect = 'node' | 'endpoint' | 'control' | 'plan' | 'state_dir' | 'notify' | 'stop_grace' | 'log';

export interface LinkChange {
  readonly host: string;
  readonly actor: string;
  readonly aspects: ReadonlySet<LinkAspect>;
  /** Whether new sessions must replace the sessions with the old parameters (make before break). */
  readonly needsNewSessions: boolean;
}

/** Parameters of a link, by their YAML names; true if a running session cannot use the new value. */
const LINK_ASPECTS = {
  address: true,
  port: true,
  user: true,
  // The old file proved the host key of a session; the new file may not. Fail closed.
  known_hosts: true,
  key: true,
  // Used only when the key is opened again.
  passphrase_file: false,
  // Used only for the next certificate.
  cert_command: false,
  // A session keeps both values for life. Without a replacement the old values would stay in use unnoticed.
  connect_timeout: true,
  keepalive: true,
  sessions: false,
  // Another route to the same host.
  jump: true,
  // Used only when somebody asks for the fleet.
  endpoint: false,
  // The owner of the credential checks these and replaces the credential itself.
  ca_fingerprints: false,
  principals: false,
  renew_after: false,
  fallback: false,
  // The current rule applies to every session.
  drain_timeout: false,
  on_expiry: false,
} as const;
export type LinkAspect = keyof typeof LINK_ASPECTS;

/** Compares the configuration in force with the new one. Pure. */
export function diffConfig(before: Config, after: Config): ConfigDiff {
  const changed = new Map<string, ReadonlySet<TunnelAspect>>();
  for (const [name, tunnel] of after.tunnels) {
    const previous = before.tunnels.get(name);
    if (previous === undefined || previous.direction !== tunnel.direction) continue;
    const aspects = differences(tunnelAspects(previous), tunnelAspects(tunnel));
    if (aspects.size > 0) changed.set(name, aspects);
  }
  return {
    // A tunnel with another direction is another tunnel of the same name.
    added: [...after.tunnels.values()].filter((tunnel) => !isSameTunnel(before, tunnel)).map(({ name }) => name),
    removed: [...before.tunnels.values()].filter((tunnel) => !isSameTunnel(after, tunnel)).map(({ name }) => name),
    changed,
    links: linkChanges(before, after),
    daemon: differences(daemonAspects(before), daemonAspects(after)),
  };
}

function isSameTunnel({ tunnels }: Config, { name, direction }: TunnelConfig): boolean {
  return tunnels.get(name)?.direction === direction;
}

/** The aspects with which a tunnel may stop working, although it worked before. */
const MOVING: ReadonlySet<TunnelAspect> = new Set(['listen', 'target', 'link', 'probe']);

/** Names of the tunnels that are new, lead elsewhere, or are checked otherwise. */
export function movedTunnels({ added, changed }: Pick<ConfigDiff, 'added' | 'changed'>): string[] {
  const moved = [...changed].filter(([, aspects]) => [...aspects].some((aspect) => MOVING.has(aspect)));
  return [...added, ...moved.map(([name]) => name)];
}

/**
 * Names of the tunnels whose host has its name still, but another address or port, or is reached over other addresses:
 * perhaps it is another machine. Behind another jump host the same private address is another machine, too.
 */
export function readdressedTunnels(before: Config, after: Config): string[] {
  const addressesTo = (config: Config, tunnel: TunnelConfig) =>
    wayTo(config, tunnel).map(({ host }) => [config.hosts.get(host)?.address, config.hosts.get(host)?.port]);
  return [...after.tunnels.values()].flatMap((tunnel) => {
    const previous = before.tunnels.get(tunnel.name);
    if (previous?.host !== tunnel.host) return [];
    return isDeepStrictEqual(addressesTo(before, previous), addressesTo(after, tunnel)) ? [] : [tunnel.name];
  });
}

/** One line for the log: `2 tunnels changed (probe), 1 added, link coulombcore/atm-fleet-mesh changed (sessions)`. */
export function summarizeDiff(diff: ConfigDiff): string {
  const parts: string[] = [];
  const tunnels = (count: number, what: string) => {
    if (count === 0) return;
    // Only the first count has the unit: "2 tunnels changed, 1 added".
    parts.push(parts.length > 0 ? `${count} ${what}` : `${count} ${count === 1 ? 'tunnel' : 'tunnels'} ${what}`);
  };
  const aspects = new Set([...diff.changed.values()].flatMap((changed) => [...changed]));
  tunnels(diff.changed.size, `changed (${[...aspects].join(', ')})`);
  tunnels(diff.added.length, 'added');
  tunnels(diff.removed.length, 'removed');
  for (const { host, actor, aspects: changed } of diff.links) {
    parts.push(`link ${host}/${actor} changed (${[...changed].join(', ')})`);
  }
  const daemon = [...diff.daemon].filter((aspect) => aspect !== 'state_dir');
  if (daemon.length > 0) parts.push(`${daemon.join(', ')} changed`);
  if (diff.daemon.has('state_dir')) parts.push('state_dir stays as it is until a restart');
  return parts.length === 0 ? 'nothing changed' : parts.join(', ');
}

function linkChanges(before: Config, after: Config): LinkChange[] {
  const previous = linksOf(before);
  return [...linksOf(after)].flatMap(([key, { host, actor }]): LinkChange[] => {
    if (!previous.has(key)) return [];
    const aspects = differences(linkAspects(before, host, actor), linkAspects(after, host, actor));
    if (aspects.size === 0) return [];
    return [{ host, actor, aspects, needsNewSessions: [...aspects].some((aspect) => LINK_ASPECTS[aspect]) }];
  });
}

function linkAspects({ hosts, actors }: Config, hostName: string, actorName: string): Record<LinkAspect, unknown> {
  const host = hosts.get(hostName);
  const actor = actors.get(actorName);
  const { key, certCommand } = actor ?? {};
  return {
    address: host?.address,
    port: host?.port,
    user: host?.user,
    known_hosts: host?.knownHosts,
    key: key?.kind === 'file' ? key.path : key?.kind,
    passphrase_file: key?.kind === 'file' ? key.passphraseFile : undefined,
    cert_command: certCommand,
    connect_timeout: host?.connectTimeoutMs,
    keepalive: host?.keepalive,
    sessions: host?.sessions,
    jump: jumpOf(host, actorName),
    endpoint: host?.endpoint,
    ca_fingerprints: actor?.caFingerprints,
    principals: actor?.principals,
    renew_after: actor?.renewAfter,
    fallback: actor?.fallback,
    drain_timeout: actor?.drainTimeoutMs,
    on_expiry: actor?.onExpiry,
  };
}

function tunnelAspects(tunnel: TunnelConfig): Record<TunnelAspect, unknown> {
  return {
    listen: tunnel.listen,
    target: [tunnel.direction, tunnel.target, tunnel.allow],
    link: [tunnel.host, tunnel.actor],
    probe: tunnel.probe,
    label: [tunnel.note, tunnel.production],
    drain: tunnel.drain,
    limits: [tunnel.whileDown, tunnel.maxConnections],
  };
}

function daemonAspects(config: Config): Record<DaemonAspect, unknown> {
  return {
    node: config.node,
    endpoint: config.endpoint,
    plan: config.plan,
    control: config.controlSocket,
    state_dir: config.stateDir,
    notify: config.notify,
    stop_grace: config.stopGraceMs,
    log: [config.logLevel, config.logFormat],
  };
}

function differences<Aspect extends string>(
  before: Record<Aspect, unknown>,
  after: Record<Aspect, unknown>,
): Set<Aspect> {
  const aspects = Object.keys(after) as Aspect[];
  return new Set(aspects.filter((aspect) => !isDeepStrictEqual(before[aspect], after[aspect])));
}
