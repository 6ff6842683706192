/** The explanation of one error code. docs/errors.md is generated from these texts. */
interface Explained {
  /** What happened, in one sentence; the message of an error has the details. */
  readonly cause: string;
  /** Whether a later attempt can succeed without any change. */
  readonly retryable: boolean;
  /** The fix, in one sentence. */
  readonly hint: string;
}

/**
 * The last step after a change of `sshd_config`, of a key option or of a certificate. A session keeps the rules that
 * were in force when it began, so a reload replaces the sessions of every host that forbids something.
 */
export const THEN_RELOAD = 'Then run `fleet-mesh reload`: sshd applies changed rules only to new sessions.';

/**
 * Every way a tunnel can fail. The codes are public: `/status`, metrics, logs.
 * `retryable` is false if the same attempt fails again until somebody changes something.
 */
export const CATALOGUE = {
  dns_failed: {
    cause: 'The resolver of this node found no address for the host name.',
    retryable: true,
    hint: 'Check the host name and the resolver of this machine.',
  },
  connect_refused: {
    cause: 'The host rejected the TCP connection. No program listens on the port, or a firewall rejects connections.',
    retryable: true,
    hint: 'Check that sshd runs on the host and listens on this port.',
  },
  connect_timeout: {
    cause: 'The host did not answer within `connect_timeout`, or this node has no route to the host.',
    retryable: true,
    hint: 'Check routing and firewalls between this node and the host.',
  },
  connection_reset: {
    cause: 'The host closed the connection, or the SSH session ended before the answer arrived.',
    retryable: true,
    hint: 'Read the log of sshd on the host: the log shows why the connection ended.',
  },
  host_key_unknown: {
    cause: '`known_hosts` has no key for the host, or the host presented a key that no line lists.',
    retryable: false,
    hint: 'Verify the host key with the operator of the host, then add the key to known_hosts.',
  },
  host_key_changed: {
    cause: 'The host presented another key than `known_hosts` lists, or a revoked key.',
    retryable: false,
    hint: 'Find out why the host key changed before you edit known_hosts: an attack looks the same.',
  },
  host_cert_invalid: {
    cause: 'The host presented no valid host certificate: missing, expired, for another name, or with a bad signature.',
    retryable: false,
    hint: 'Install a host certificate for this name, signed by the CA in known_hosts. Check with `ssh-keygen -Lf` on the host.',
  },
  kex_failed: {
    cause: 'The SSH key exchange failed, took too long, or another service than SSH answered.',
    retryable: true,
    hint: 'Check that the port is an SSH port. Compare the key exchanges, ciphers and MACs with `sshd -T` on the host.',
  },
  auth_rejected: {
    cause: 'The server rejected the user name, the key or the certificate.',
    retryable: false,
    hint: 'Check the user name, and that authorized_keys on the host has the public key.',
  },
  cert_expired: { cause: 'The certificate has expired.', retryable: false, hint: 'Obtain a new certificate.' },
  cert_not_yet_valid: {
    cause: 'The validity of the certificate begins in the future. Usually two clocks differ.',
    retryable: true,
    hint: 'Compare the clocks of this node and of the CA.',
  },
  cert_wrong_principal: {
    cause: 'The certificate lacks a principal that the actor requires (`principals`).',
    retryable: false,
    hint: 'Compare the principals of the certificate with the principals that the server accepts.',
  },
  cert_command_failed: {
    cause: '`cert_command` could not start, exited with an error, or printed no certificate.',
    retryable: true,
    hint: 'Run cert_command by hand as the daemon user and fix the error that it prints.',
  },
  cert_command_timeout: {
    cause: '`cert_command` ran longer than `cert_timeout`.',
    retryable: true,
    hint: 'Run cert_command by hand as the daemon user: the command must not wait for input.',
  },
  cert_invalid: {
    cause:
      '`cert_command` printed a certificate that is damaged, for another key, from another CA, or useless for tunnels.',
    retryable: false,
    hint: 'cert_command must print one OpenSSH user certificate for the key.',
  },
  key_unreadable: {
    cause: 'The private key cannot be read or decrypted, or ssh-agent offers no usable key.',
    retryable: false,
    hint: 'Check the path, the owner and the format of the private key.',
  },
  key_permissions: {
    cause: 'The private key file belongs to another user, or other users may read the file.',
    retryable: false,
    hint: 'Make the private key file readable by the daemon user only: chmod 600.',
  },
  state_dir_unusable: {
    cause: 'The daemon cannot read or write `state_dir`, or another daemon uses the same directory.',
    retryable: true,
    hint: 'Check that state_dir belongs to the daemon user and is writable.',
  },
  keepalive_lost: {
    cause: 'The host stopped answering, and the daemon closed the SSH session.',
    retryable: true,
    hint: 'Check that the host is up and the network to the host works.',
  },
  forward_denied: {
    cause: 'The server refused to open a connection to the target.',
    retryable: false,
    hint: `Check AllowTcpForwarding, PermitOpen and the key or certificate options on the host. ${THEN_RELOAD}`,
  },
  target_refused: {
    cause: 'The target rejected the connection from the host.',
    retryable: true,
    hint: 'Check that the service behind the tunnel runs. The SSH host itself is reachable.',
  },
  target_unreachable: {
    cause: 'The host cannot reach the target, or the target gave no valid answer in time.',
    retryable: true,
    hint: 'Check the target address from the host. The SSH host itself is reachable.',
  },
  listen_in_use: {
    cause: 'Another program on this node already listens on the address.',
    retryable: true,
    hint: 'Find the program with `ss -ltnp` and stop it, or change the listen address.',
  },
  remote_listen_in_use: {
    cause: 'Another program or an older SSH session already listens on the address of the host.',
    retryable: true,
    hint: 'Find the listener with `ss -ltnp` on the host and stop it, or change the listen address.',
  },
  remote_listen_denied: {
    cause: 'The server refused to listen on the address for this user.',
    retryable: false,
    hint: 'Check AllowTcpForwarding, PermitListen and GatewayPorts on the host.',
  },
  penalised: {
    cause: 'The server blocks this address for a while after failed logins (`PerSourcePenalties`).',
    retryable: true,
    hint: 'Fix the credential and wait until the server accepts this address again.',
  },
  protocol_error: {
    cause: 'The server sent messages that SSH forbids, or floods of messages, and the daemon ended the session.',
    retryable: true,
    hint: 'Check which program answers on the port. A faulty, damaged or hostile server sends such messages. If the host is healthy, report a bug in fleet-mesh.',
  },
  internal: {
    cause:
      'A case without a code of its own. Often the machine is the cause, such as a privileged port or a missing directory.',
    retryable: false,
    hint: 'If the message names no problem of this machine, report a bug in fleet-mesh with the log.',
  },
} as const satisfies Record<string, Explained>;

/** A stable name of a failure. */
export type ErrorCode = keyof typeof CATALOGUE;

export const ERROR_CODES = Object.keys(CATALOGUE) as readonly ErrorCode[];

/** How an error is shown in `/status`. */
export interface ErrorReport {
  code: ErrorCode;
  message: string;
  hint: string;
  at: Date;
}

/** The one error family of this program: policy reads the `code`, never the message text. */
export class TunnelError extends Error {
  override readonly name = 'TunnelError';
  readonly code: ErrorCode;
  /** Whether the same attempt can succeed later without any change. */
  readonly retryable: boolean;
  /** The fix, in one sentence. */
  readonly hint: string;
  /** When the error happened (wall clock). */
  readonly at: Date;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; hint?: string | undefined } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.retryable = CATALOGUE[code].retryable;
    this.hint = options.hint ?? CATALOGUE[code].hint;
    this.at = new Date();
  }

  report(): ErrorReport {
    return { code: this.code, message: this.message, hint: this.hint, at: this.at };
  }

  /** Anything thrown, as a TunnelError. A foreign error is a bug and gets the code `internal`. */
  static from(error: unknown): TunnelError {
    if (error instanceof TunnelError) return error;
    return new TunnelError('internal', messageOf(error), { cause: error });
  }
}

/** A client was not served because of its own request. The error says nothing about the tunnel. */
export class TurnedAway extends TunnelError {}

/** The server accepted the credential and then forbade its only purpose, the forward. */
export class UselessCredential extends TunnelError {}

/** The server could not try the target, and does not say why: the session may have no room for a further channel. */
export class SessionFull extends TunnelError {}

/**
 * The subject of a failure, for the codes on which policy depends. Every other code is about the path to the host, or
 * about this node.
 */
const SUBJECTS: { readonly [Code in ErrorCode]?: 'session' | 'credential' | 'host' | 'target' } = {
  connection_reset: 'session',
  keepalive_lost: 'session',
  protocol_error: 'session',
  auth_rejected: 'credential',
  penalised: 'credential',
  host_key_changed: 'host',
  host_cert_invalid: 'host',
  target_refused: 'target',
  target_unreachable: 'target',
  forward_denied: 'target',
};

/** Whether the error is about the session, not the request: the same request may work on another session. */
export function isSessionLoss(error: unknown): boolean {
  return error instanceof TunnelError && SUBJECTS[error.code] === 'session';
}

/** Whether the server rejected our credential: another login with the same credential only does harm. */
export function isCredentialRejection(error: TunnelError): boolean {
  return error instanceof UselessCredential || SUBJECTS[error.code] === 'credential';
}

/** Whether one side rejected the identity of the other: the next attempt must wait, even if clients are waiting. */
export function isRejection(error: TunnelError): boolean {
  return isCredentialRejection(error) || SUBJECTS[error.code] === 'host';
}

/** Whether the error is the peer's verdict on the target, not trouble on the way to the target. */
export function isTargetVerdict(error: TunnelError): boolean {
  return SUBJECTS[error.code] === 'target';
}

/** The message of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The code that Node gives an error, such as `ENOENT`; undefined for values without a code. */
export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Anything thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
