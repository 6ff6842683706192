import type { Address, TcpAddress } from '../base/net/address.ts';
import type { AllowRule } from './allow/rule.ts';

/**
 * The configuration as the daemon uses it: with defaults, durations in milliseconds, absolute paths and resolved names.
 * `load.ts` makes it, `diff.ts` compares it; it never changes.
 */
export interface Config {
  /** Absolute path of the file. */
  readonly path: string;
  /** SHA-256 of the file, in hex. */
  readonly sha256: string;
  readonly node: string;
  readonly endpoint: EndpointConfig;
  /** Absolute path of the drain plan; undefined: no plan. */
  readonly plan?: string | undefined;
  /** Absolute path of the Unix socket for commands. */
  readonly controlSocket: string;
  /** Directory of the files that survive a restart; created on first use. */
  readonly stateDir: string;
  /** Told about changes; mostly none. */
  readonly notify: readonly WebhookConfig[];
  /** Time for open connections to finish after SIGTERM. */
  readonly stopGraceMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly hosts: ReadonlyMap<string, HostConfig>;
  readonly actors: ReadonlyMap<string, ActorConfig>;
  /** Whether the file has the key `tunnels`. A file that was cut off may have lost the key. */
  readonly listsTunnels: boolean;
  readonly tunnels: ReadonlyMap<string, TunnelConfig>;
}

/** `tunnel.state` and `node.state`: a change that lasts; `advisory`: raised or cleared. */
export type NoticeKind = 'tunnel.state' | 'node.state' | 'advisory';

export interface WebhookConfig {
  /** Never shown: the URL of a chat service is a secret. */
  readonly url: string;
  readonly events: readonly NoticeKind[];
  /** File with a bearer token; undefined: no token. */
  readonly secretFile: string | undefined;
  /** The body, with fields in braces; undefined: all fields as JSON. */
  readonly template: string | undefined;
}

/** `auto`: text on a terminal, else JSON. */
export type LogFormat = 'auto' | 'json' | 'text';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export type HostRole = 'production' | 'draining' | 'workstation' | 'experimental';

export interface EndpointConfig {
  readonly listen: TcpAddress;
  /** Whether `listen` may be an address other than loopback. */
  readonly allowRemote: boolean;
}

export interface HostConfig {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Undefined for a host without tunnels and jumps. */
  readonly user: string | undefined;
  readonly role: HostRole | undefined;
  readonly knownHosts: string;
  /** Parallel SSH sessions of a link. */
  readonly sessions: number;
  readonly keepalive: KeepaliveConfig;
  /** Bound of each single step: dial, banner, key exchange, authentication, channel open. */
  readonly connectTimeoutMs: number;
  /** The jump host; undefined for a direct connection. */
  readonly jump: JumpConfig | undefined;
  /** Where the host's own daemon answers, as seen from the host; undefined: at the usual address. */
  readonly endpoint?: TcpAddress | 'none' | undefined;
}

/** A jump over another host (ssh_config(5), ProxyJump). */
export interface JumpConfig {
  readonly host: string;
  /** The actor on the jump host; undefined: the actor of the link. */
  readonly actor: string | undefined;
}

export interface KeepaliveConfig {
  readonly everyMs: number;
  /** Silent intervals after which the session is closed. */
  readonly lostAfter: number;
}

export interface ActorConfig extends ActorPolicy {
  readonly name: string;
  readonly key: KeySource;
  /** How the certificate is obtained; undefined for an actor without certificate. */
  readonly certCommand: CertCommandConfig | undefined;
}

export interface CertCommandConfig {
  /** Program and arguments; `{pubkey}` is replaced by the path of the public key. */
  readonly argv: readonly [string, ...string[]];
  readonly timeoutMs: number;
  /** The directory of the configuration file: relative paths in the command start there. */
  readonly workingDirectory: string;
}

/** Requirements on the certificates of an actor, and the treatment of sessions with an old credential. */
export interface ActorPolicy {
  /** Accepted signing CAs; undefined: any. */
  readonly caFingerprints: readonly string[] | undefined;
  /** Principals that a certificate must have; undefined: not checked. */
  readonly principals: readonly string[] | undefined;
  /** Fraction of the lifetime after which a certificate is renewed. */
  readonly renewAfter: number;
  /** How long a replaced session stays for its open connections; undefined: no limit. */
  readonly drainTimeoutMs: number | undefined;
  readonly onExpiry: OnExpiry;
  /** The static key for times without a valid certificate. */
  readonly fallback: FallbackConfig | undefined;
}

/** Treatment of a live session whose certificate has expired. */
export type OnExpiry = 'keep' | 'drain' | 'cut';

export interface FallbackConfig {
  readonly key: Extract<KeySource, { kind: 'file' }>;
  /** Id of the documented exception that allows the static key. */
  readonly exception: string;
}

/** The source of the private key of an actor. */
export type KeySource =
  | { readonly kind: 'agent' }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly passphraseFile: string | undefined;
      /** In a check outside the unit: the credential that the unit will load from `path`. */
      readonly futureCredential?: string;
    };

export type TunnelConfig = TunnelSettings & TunnelDestination;

/** The destination of the connections of a tunnel. */
export type TunnelDestination =
  /** `local`: seen from the host; `remote`: seen from this node. */
  | { readonly direction: 'local' | 'remote'; readonly target: Address; readonly allow?: undefined }
  /** Each client requests a destination; `allow` lists the permitted ones. */
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
  /** How the tunnel goes out of service; undefined: the tunnel stays. */
  readonly drain?: DrainConfig | undefined;
}

export interface DrainConfig {
  /** The plan step that retires the tunnel. */
  readonly step: string;
  /** Time without use before the tunnel can be retired. */
  readonly quietForMs: number;
  /** The rollback procedure, as text or a command; without one the tunnel is never retirable. */
  readonly rollback: string | undefined;
  /** The service for the local port after the tunnel; undefined: none. */
  readonly successor: SuccessorConfig | undefined;
}

export interface SuccessorConfig {
  /** Seen from this node. */
  readonly target: Address;
  readonly probe: ProbeConfig;
  /** How long the probe must pass without a failure. */
  readonly healthyForMs: number;
  /** Answers that must be equal on both sides before a cut-over. */
  readonly compare: readonly Comparison[];
  /** Longest pause of new connections during the switch. */
  readonly holdMs: number;
  /** Time after the switch in which a failing probe rolls back automatically. */
  readonly verifyForMs: number;
}

/** A GET request with a JSON answer, and the fields to compare. */
export interface Comparison {
  readonly path: string;
  readonly fields: readonly string[];
}

/** Treatment of new connections while the link is down. */
export type WhileDown =
  | {
      readonly kind: 'hold';
      readonly holdMs: number;
      readonly limit: number;
      /** Whether a client that closes its side while it is held has gone. */
      readonly abortOnClose: boolean;
    }
  | { readonly kind: 'refuse' };

export interface ProbeConfig {
  readonly check: ProbeCheck;
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** Consecutive failures until the tunnel is degraded. */
  readonly fall: number;
  /** Consecutive successes until the tunnel is up again. */
  readonly rise: number;
}

/** The check of a probe. */
export type ProbeCheck =
  /** Opens a connection, sends `send`, and waits until the answer contains `expect`. */
  | { readonly kind: 'tcp'; readonly send?: string | undefined; readonly expect?: string | undefined }
  | { readonly kind: 'banner'; readonly prefix: string }
  | ({ readonly kind: 'http' } & HttpRequest)
  | ({ readonly kind: 'https' } & HttpRequest & TlsSettings);

/** A GET request and the answer that passes. */
export interface HttpRequest {
  readonly path: string;
  readonly status: number;
  readonly json: JsonValue | undefined;
  /** The Host header; undefined: from the target. */
  readonly host?: string | undefined;
}

export interface TlsSettings {
  /** Absolute path of a PEM file with the accepted CAs; undefined: the CAs that Node.js trusts. */
  readonly ca: string | undefined;
  /** The name in the certificate; undefined: from `host`, or else from the target. */
  readonly serverName: string | undefined;
}

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Names of this node that a request to the endpoint may use, besides loopback. */
export function ownNames({ node, hosts }: Pick<Config, 'node' | 'hosts'>): string[] {
  return [node, hosts.get(node)?.address].filter((name) => name !== undefined);
}
