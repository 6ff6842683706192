import { isDeepStrictEqual } from 'node:util';
import type { Config, TunnelConfig } from './config.ts';
import { jumpOf, linksOf } from './way.ts';

/** What a reload has to do (SPEC section 2, "Reload"): everything that is not named here stays untouched. */
export interface ConfigDiff {
  /** Names of tunnels, in the order of the file they are in. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Tunnels that are in both, and what of them differs. */
  readonly changed: ReadonlyMap<string, ReadonlySet<TunnelAspect>>;
  /** Links in use before and after, jump hosts included and first, with other parameters. One of added or removed tunnels only
   * is not here. */
  readonly links: readonly LinkChange[];
  /** Settings of the daemon as a whole. */
  readonly daemon: ReadonlySet<DaemonAspect>;
}

/**
 * `listen`: bind anew. `target` (or `allow`): for new connections only. `link`: another host or actor. `probe`, `label` (note,
 * production), `drain` and `limits` (while_down, max_connections) touch no connection.
 */
export type TunnelAspect = 'listen' | 'target' | 'link' | 'probe' | 'label' | 'drain' | 'limits';

export type DaemonAspect = 'node' | 'endpoint' | 'control' | 'plan' | 'state_dir' | 'stop_grace' | 'log';

export interface LinkChange {
  readonly host: string;
  readonly actor: string;
  readonly aspects: ReadonlySet<LinkAspect>;
  /** Whether sessions under the old parameters have to give way to new ones (make before break). */
  readonly needsNewSessions: boolean;
}

/** Parameters of a link, by their names in the YAML; true where a running session cannot take on the new value. */
const LINK_ASPECTS = {
  address: true,
  port: true,
  user: true,
  // A session whose host key was proven by the old file is not proven by the new one: fail closed.
  known_hosts: true,
  key: true,
  // How the same key is opened next time.
  passphrase_file: false,
  // How the next certificate is obtained, and in what time.
  cert_command: false,
  // Both are a session's from its birth: until it is replaced it would go by the old values, and nobody would know.
  connect_timeout: true,
  keepalive: true,
  sessions: false,
  // Another way to the same host.
  jump: true,
  // Whether a credential in use still holds is its owner's to say; whoever replaces it says so by itself.
  ca_fingerprints: false,
  principals: false,
  renew_after: false,
  fallback: false,
  // A session is judged by the rule of the moment.
  drain_timeout: false,
  on_expiry: false,
} as const;
export type LinkAspect = keyof typeof LINK_ASPECTS;

/** Compares what the daemon runs with what it is to run. Pure. */
export function diffConfig(before: Config, after: Config): ConfigDiff {
  const changed = new Map<string, ReadonlySet<TunnelAspect>>();
  for (const [name, tunnel] of after.tunnels) {
    const previous = before.tunnels.get(name);
    if (previous === undefined || previous.direction !== tunnel.direction) continue;
    const aspects = differences(tunnelAspects(previous), tunnelAspects(tunnel));
    if (aspects.size > 0) changed.set(name, aspects);
  }
  return {
    // A tunnel that has turned its direction is another tunnel of the same name.
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

/** One line for the log: `2 tunnels changed (probe), 1 added, link coulombcore/atm-fleet-mesh changed (sessions)`. */
export function summarizeDiff(diff: ConfigDiff): string {
  const parts: string[] = [];
  const tunnels = (count: number, what: string) => {
    if (count === 0) return;
    // Only the first count names its unit: "2 tunnels changed, 1 added".
    parts.push(parts.length > 0 ? `${count} ${what}` : `${count} ${count === 1 ? 'tunnel' : 'tunnels'} ${what}`);
  };
  const aspects = new Set([...diff.changed.values()].flatMap((changed) => [...changed]));
  tunnels(diff.changed.size, `changed (${[...aspects].join(', ')})`);
  tunnels(diff.added.length, 'added');
  tunnels(diff.removed.length, 'removed');
  for (const { host, actor, aspects: changed } of diff.links) {
    parts.push(`link ${host}/${actor} changed (${[...changed].join(', ')})`);
  }
  if (diff.daemon.size > 0) parts.push(`${[...diff.daemon].join(', ')} changed`);
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
    stop_grace: config.stopGraceMs,
    log: config.logLevel,
  };
}

function differences<Aspect extends string>(
  before: Record<Aspect, unknown>,
  after: Record<Aspect, unknown>,
): Set<Aspect> {
  const aspects = Object.keys(after) as Aspect[];
  return new Set(aspects.filter((aspect) => !isDeepStrictEqual(before[aspect], after[aspect])));
}
