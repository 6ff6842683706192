import type { Address, TcpAddress } from '../base/net/address.ts';
import type { AllowRule } from './allow/rule.ts';

/**
 * The configuration as the daemon uses it: every default applied, every duration in milliseconds, every path absolute,
 * every name resolved. Made by `load.ts`, compared by `diff.ts`, never changed.
 */
export interface Config {
  /** Absolute path of the file. */
  readonly path: string;
  /** SHA-256 of the file's bytes, hex. */
  readonly sha256: string;
  readonly node: string;
  readonly endpoint: EndpointConfig;
  /** Absolute path of the drain plan; undefined: there is none. */
  readonly plan?: string | undefined;
  /** Path of the unix socket that commands reach the daemon at; undefined where the environment gives no place for it. */
  readonly controlSocket: string | undefined;
  /** Where what has to survive a restart is kept; made when it is first needed. */
  readonly stateDir: string;
  /** On SIGTERM: how long open connections may finish. */
  readonly stopGraceMs: number;
  readonly logLevel: LogLevel;
  readonly hosts: ReadonlyMap<string, HostConfig>;
  readonly actors: ReadonlyMap<string, ActorConfig>;
  readonly tunnels: ReadonlyMap<string, TunnelConfig>;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export type HostRole = 'production' | 'draining' | 'workstation' | 'experimental';

export interface EndpointConfig {
  readonly listen: TcpAddress;
  /** Whether `listen` may be another address than loopback. */
  readonly allowRemote: boolean;
}

export interface HostConfig {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Undefined for a host that nothing goes to. */
  readonly user: string | undefined;
  readonly role: HostRole | undefined;
  readonly knownHosts: string;
  /** Parallel SSH sessions of a link. */
  readonly sessions: number;
  readonly keepalive: KeepaliveConfig;
  /** Bound of each single step: dial, banner, key exchange, authentication, channel open. */
  readonly connectTimeoutMs: number;
  /** The host to go through; undefined for one that is reached directly. */
  readonly jump: JumpConfig | undefined;
}

/** One hop of a way over other hosts (ssh_config(5), ProxyJump). */
export interface JumpConfig {
  readonly host: string;
  /** The identity there; undefined: that of whoever jumps. */
  readonly actor: string | undefined;
}

export interface KeepaliveConfig {
  readonly everyMs: number;
  /** Silent intervals until the session is given up. */
  readonly lostAfter: number;
}

export interface ActorConfig extends ActorPolicy {
  readonly name: string;
  readonly key: KeySource;
  /** How its certificate is obtained; undefined for one that has none. */
  readonly certCommand: CertCommandConfig | undefined;
}

export interface CertCommandConfig {
  /** Program and arguments; `{pubkey}` in them stands for the path of the public key. */
  readonly argv: readonly [string, ...string[]];
  readonly timeoutMs: number;
  /** The directory of the configuration file: what relative paths in the command start from. */
  readonly workingDirectory: string;
}

/** What is asked of an actor's certificates, and what becomes of sessions whose credential is no longer the one to use. */
export interface ActorPolicy {
  /** Accepted signing CAs; undefined: any. */
  readonly caFingerprints: readonly string[] | undefined;
  /** What a certificate must carry; undefined: not checked. */
  readonly principals: readonly string[] | undefined;
  /** Fraction of a certificate's lifetime after which it is renewed. */
  readonly renewAfter: number;
  /** How long a replaced session may live on for its open connections; undefined: no limit. */
  readonly drainTimeoutMs: number | undefined;
  readonly onExpiry: OnExpiry;
  /** The static key for when no certificate can be had. */
  readonly fallback: FallbackConfig | undefined;
}

/** What happens to a live session whose certificate has expired. */
export type OnExpiry = 'keep' | 'drain' | 'cut';

export interface FallbackConfig {
  readonly key: Extract<KeySource, { kind: 'file' }>;
  /** Id of the documented exception that allows it. */
  readonly exception: string;
}

/** Where an actor's private key comes from. */
export type KeySource =
  | { readonly kind: 'agent' }
  | { readonly kind: 'file'; readonly path: string; readonly passphraseFile: string | undefined };

export type TunnelConfig = TunnelSettings & TunnelDestination;

/** Where a tunnel's connections go. */
export type TunnelDestination =
  /** `local`: as reached from the host; `remote`: as reached from this node. */
  | { readonly direction: 'local' | 'remote'; readonly target: Address; readonly allow?: undefined }
  /** Each client says where; `allow` says where it may. */
  | { readonly direction: 'dynamic'; readonly target?: undefined; readonly allow: readonly AllowRule[] };

export interface TunnelSettings {
  readonly name: string;
  readonly host: string;
  readonly actor: string;
  /** `local` and `dynamic`: on this node; `remote`: on the host. */
  readonly listen: Address;
  readonly production: boolean;
  readonly note: string | undefined;
  /** Without effect on a `remote` tunnel: while its link is down, nothing listens. */
  readonly whileDown: WhileDown;
  readonly maxConnections: number;
  readonly probe: ProbeConfig | undefined;
  /** How it goes out of service; undefined: it stays. */
  readonly drain?: DrainConfig | undefined;
}

export interface DrainConfig {
  /** Step of the plan that retires the tunnel. */
  readonly step: string;
  /** How long nobody may have used the tunnel before it can be retired. */
  readonly quietForMs: number;
  /** The way back, in words or as a command; undefined: none is written down, and the tunnel is never retirable. */
  readonly rollback: string | undefined;
  /** What serves the local port once the tunnel is gone; undefined: nothing does. */
  readonly successor: SuccessorConfig | undefined;
}

export interface SuccessorConfig {
  /** As reached from this node. */
  readonly target: Address;
  readonly probe: ProbeConfig;
  /** How long the probe must have passed without a break. */
  readonly healthyForMs: number;
  /** What must be equal on both sides before a cut-over. */
  readonly compare: readonly Comparison[];
  /** Longest pause of new connections during the switch. */
  readonly holdMs: number;
  /** How long after the switch a failing probe leads back by itself. */
  readonly verifyForMs: number;
}

/** A GET of `path`, whose answer is JSON, and the fields of it that count. */
export interface Comparison {
  readonly path: string;
  readonly fields: readonly string[];
}

/** What new connections meet while the link is down. */
export type WhileDown =
  | { readonly kind: 'hold'; readonly holdMs: number; readonly limit: number }
  | { readonly kind: 'refuse' };

export interface ProbeConfig {
  readonly check: ProbeCheck;
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** Consecutive failures until the tunnel is degraded. */
  readonly fall: number;
  /** Consecutive successes until it is up again. */
  readonly rise: number;
}

export type ProbeCheck =
  | { readonly kind: 'tcp' }
  | { readonly kind: 'banner'; readonly prefix: string }
  | { readonly kind: 'http'; readonly path: string; readonly status: number; readonly json: JsonValue | undefined };

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What a request to the endpoint may call this node, besides loopback. */
export function ownNames({ node, hosts }: Pick<Config, 'node' | 'hosts'>): string[] {
  return [node, hosts.get(node)?.address].filter((name) => name !== undefined);
}
