import { splitCommand } from './command-line.ts';
import type {
  ActorConfig,
  CertCommandConfig,
  Config,
  DrainConfig,
  HostConfig,
  HttpRequest,
  JumpConfig,
  KeySource,
  ProbeCheck,
  ProbeConfig,
  TunnelConfig,
  TunnelDestination,
  WhileDown,
} from './config.ts';
import { controlSocket } from './control-socket.ts';
import { absolutePath, namesCredential, type Places } from './paths.ts';
import { type ParsedProbe, PROBE_KINDS } from './schema/probe.ts';
import type { ParsedConfig } from './schema.ts';

/** Default of `probe.timeout`, unless `every` is shorter. */
const PROBE_TIMEOUT_MS = 3_000;

const DEFAULT_RENEW_AFTER = 0.5;

/** Default of `cert_timeout`. */
const CERT_TIMEOUT_MS = 30_000;

/**
 * Turns a checked file into the configuration of the daemon. A value that the checks should have rejected throws.
 */
export function resolveConfig(
  parsed: ParsedConfig,
  file: { readonly path: string; readonly sha256: string },
  places: Places,
): Config {
  const stateDir = parsed.state_dir === undefined ? places.state : absolute(parsed.state_dir, places);
  return {
    ...file,
    node: parsed.node,
    endpoint: { listen: parsed.endpoint.listen, allowRemote: parsed.endpoint.allow_remote },
    plan: parsed.plan === undefined ? undefined : absolute(parsed.plan, places),
    controlSocket: controlSocket(parsed.control && absolute(parsed.control.socket, places), places, stateDir),
    stateDir,
    notify: parsed.notify.map(({ webhook, events, secret_file, template }) => ({
      url: webhook,
      events,
      secretFile: secret_file === undefined ? undefined : absolute(secret_file, places),
      template,
    })),
    stopGraceMs: parsed.stop_grace,
    logLevel: parsed.log.level,
    logFormat: parsed.log.format,
    hosts: mapValues(parsed.hosts, (name, host) => resolveHost(name, host, places)),
    actors: mapValues(parsed.actors, (name, actor) => resolveActor(name, actor, places)),
    listsTunnels: parsed.tunnels !== undefined,
    tunnels: mapValues(parsed.tunnels ?? {}, (name, tunnel) => resolveTunnel(name, tunnel, places)),
  };
}

function resolveHost(name: string, host: ParsedConfig['hosts'][string], places: Places): HostConfig {
  return {
    name,
    address: host.address,
    port: host.port,
    user: host.user,
    role: host.role,
    knownHosts: absolute(host.known_hosts, places),
    sessions: host.sessions,
    keepalive: { everyMs: host.keepalive.every, lostAfter: host.keepalive.lost_after },
    connectTimeoutMs: host.connect_timeout,
    jump: resolveJump(host.jump),
    endpoint: host.endpoint,
  };
}

function resolveJump(jump: ParsedConfig['hosts'][string]['jump']): JumpConfig | undefined {
  if (typeof jump === 'string') return { host: jump, actor: undefined };
  return jump && { host: jump.host, actor: jump.actor };
}

function resolveActor(name: string, actor: ParsedConfig['actors'][string], places: Places): ActorConfig {
  const passphraseFile = actor.passphrase_file === undefined ? undefined : absolute(actor.passphrase_file, places);
  const key: KeySource =
    actor.key === 'agent' ? { kind: 'agent' } : { kind: 'file', path: absolute(actor.key, places), passphraseFile };
  return {
    name,
    key,
    certCommand: resolveCertCommand(name, actor, places),
    caFingerprints: actor.ca_fingerprints,
    principals: actor.principals,
    renewAfter: actor.renew_after ?? DEFAULT_RENEW_AFTER,
    drainTimeoutMs: actor.drain_timeout === 'none' ? undefined : actor.drain_timeout,
    onExpiry: actor.on_expiry ?? 'keep',
    fallback: actor.fallback && {
      key: { kind: 'file', path: absolute(actor.fallback.key, places), passphraseFile: undefined },
      exception: actor.fallback.exception,
    },
  };
}

function resolveCertCommand(
  name: string,
  { cert_command: command, cert_timeout }: ParsedConfig['actors'][string],
  places: Places,
): CertCommandConfig | undefined {
  if (command === undefined) return undefined;
  const argv = typeof command === 'string' ? splitCommand(command, places.home) : command;
  if ('fault' in argv) throw new Error(`cert_command of ${name} passed unchecked`);
  const [program, ...rest] = argv;
  if (program === undefined) throw new Error(`cert_command of ${name} passed unchecked`);
  return {
    argv: [program, ...rest.map((word) => (namesCredential(word) ? absolute(word, places) : word))],
    timeoutMs: cert_timeout ?? CERT_TIMEOUT_MS,
    workingDirectory: places.base,
  };
}

function resolveTunnel(name: string, tunnel: ParsedTunnel, places: Places): TunnelConfig {
  return {
    ...resolveDestination(name, tunnel),
    name,
    host: tunnel.host,
    actor: tunnel.actor,
    listen: tunnel.listen,
    production: tunnel.production,
    note: tunnel.note,
    whileDown: resolveWhileDown(tunnel.while_down),
    maxConnections: tunnel.max_connections,
    probe: tunnel.probe === undefined ? undefined : resolveProbe(tunnel.probe, places),
    drain: tunnel.drain && resolveDrain(tunnel.drain, places),
  };
}

function resolveDestination(name: string, { direction, target, allow }: ParsedTunnel): TunnelDestination {
  if (direction === 'dynamic' && allow !== undefined) return { direction, allow };
  if (direction !== 'dynamic' && target !== undefined) return { direction, target };
  throw new Error(`tunnel ${name} passed unchecked`);
}

function resolveWhileDown(whileDown: ParsedTunnel['while_down']): WhileDown {
  if (whileDown === 'refuse') return { kind: 'refuse' };
  return {
    kind: 'hold',
    holdMs: whileDown.hold,
    limit: whileDown.limit,
    abortOnClose: whileDown.abort_on_close,
  };
}

type ParsedTunnel = NonNullable<ParsedConfig['tunnels']>[string];
type ParsedDrain = NonNullable<ParsedTunnel['drain']>;

function resolveDrain({ step, quiet_for, rollback, successor }: ParsedDrain, places: Places): DrainConfig {
  return {
    step,
    quietForMs: quiet_for,
    rollback,
    successor: successor && {
      target: successor.target,
      probe: resolveProbe(successor.probe, places),
      healthyForMs: successor.healthy_for,
      compare: successor.compare,
      holdMs: successor.hold,
      verifyForMs: successor.verify_for,
    },
  };
}

function resolveProbe(probe: ParsedProbe, places: Places): ProbeConfig {
  return {
    check: resolveCheck(probe, places),
    everyMs: probe.every,
    timeoutMs: probe.timeout ?? Math.min(PROBE_TIMEOUT_MS, probe.every),
    fall: probe.fall,
    rise: probe.rise,
  };
}

/** The compiler rejects a kind of probe that has no case here. */
function resolveCheck(probe: ParsedProbe, places: Places): ProbeCheck {
  const kind = PROBE_KINDS.find((each) => probe[each] !== undefined);
  switch (kind) {
    case 'http':
      return { kind, ...resolveRequest(given(probe.http)) };
    case 'https': {
      const { ca, server_name, ...request } = given(probe.https);
      const tls = { ca: ca === undefined ? undefined : absolute(ca, places), serverName: server_name };
      return { kind, ...resolveRequest(request), ...tls };
    }
    case 'tcp':
      return { kind, ...given(probe.tcp) };
    case 'banner':
      return { kind, prefix: given(probe.banner) };
    case undefined:
      throw new Error('a probe without a kind passed unchecked');
  }
}

function resolveRequest({ path, status, json, host }: NonNullable<ParsedProbe['http']>): HttpRequest {
  return { path, status, json, ...(host === undefined ? {} : { host }) };
}

function given<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('a probe passed unchecked');
  return value;
}

function absolute(written: string, places: Places): string {
  const path = absolutePath(written, places);
  if (path === undefined) throw new Error(`path ${written} passed unchecked`);
  return path;
}

function mapValues<From, To>(record: Record<string, From>, map: (name: string, from: From) => To): Map<string, To> {
  return new Map(Object.entries(record).map(([name, from]) => [name, map(name, from)]));
}
