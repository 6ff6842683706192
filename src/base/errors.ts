/** One error code, explained: docs/errors.md is made from these. */
interface Explained {
  /** What happened, in one sentence; the message of an error has the details. */
  readonly cause: string;
  /** Whether waiting can help. */
  readonly retryable: boolean;
  /** What would help, in one sentence. */
  readonly hint: string;
}

/**
 * What to do after a change of `sshd_config`, of a key option or of a certificate. A session keeps the rules that were in
 * force when it began, so a reload makes new sessions wherever a host forbids something.
 */
export const THEN_RELOAD = 'Then run `fleet-mesh reload`: sshd applies changed rules only to new sessions.';

/**
 * Every way a tunnel can fail (SPEC section 3, "Failures have names"). The codes are public: `/status`, metrics, logs.
 * `retryable` is false where the same attempt must fail again until somebody changes something.
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
    hint: 'Nothing listens on that port: check that sshd runs there and the port is right.',
  },
  connect_timeout: {
    cause: 'The host did not answer within `connect_timeout`, or this node has no route to the host.',
    retryable: true,
    hint: 'Check routing and firewalls between this node and the host.',
  },
  connection_reset: {
    cause: 'The host closed the connection, or the SSH session ended before the answer arrived.',
    retryable: true,
    hint: "The peer cut the connection: look into sshd's log on the host.",
  },
  host_key_unknown: {
    cause: '`known_hosts` has no key for the host, or the host presented a key that no line lists.',
    retryable: false,
    hint: 'Verify the host key with its operator and add it to known_hosts; it is never accepted by itself.',
  },
  host_key_changed: {
    cause: 'The host presented another key than `known_hosts` lists, or a revoked key.',
    retryable: false,
    hint: 'Find out why the host key changed before touching known_hosts: this is what an attack looks like.',
  },
  host_cert_invalid: {
    cause: 'The host presented no valid host certificate: missing, expired, for another name, or with a bad signature.',
    retryable: false,
    hint: 'The host must present a certificate for its name by the CA in known_hosts: see `ssh-keygen -Lf` on the host.',
  },
  kex_failed: {
    cause: 'The SSH key exchange failed, took too long, or another service than SSH answered.',
    retryable: true,
    hint: 'The two sides share no key exchange, cipher or MAC, or the exchange was cut: compare with `sshd -T` on the host.',
  },
  auth_rejected: {
    cause: 'The server rejected the user name, the key or the certificate.',
    retryable: false,
    hint: "Check the user name, and that the key's public half is in the host's authorized_keys.",
  },
  cert_expired: { cause: 'The certificate is no longer valid.', retryable: false, hint: 'Obtain a new certificate.' },
  cert_not_yet_valid: {
    cause: 'The validity of the certificate begins in the future. Usually two clocks differ.',
    retryable: true,
    hint: 'Compare the clocks of this node and of the CA.',
  },
  cert_wrong_principal: {
    cause: 'The certificate lacks a principal that the actor requires (`principals`).',
    retryable: false,
    hint: 'Compare the certificate principals with what the server accepts.',
  },
  cert_command_failed: {
    cause: '`cert_command` could not start, exited with an error, or printed no certificate.',
    retryable: true,
    hint: 'Run cert_command by hand as the daemon user.',
  },
  cert_command_timeout: {
    cause: '`cert_command` ran longer than `cert_timeout`.',
    retryable: true,
    hint: 'Run cert_command by hand as the daemon user: it must not wait for input.',
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
    hint: 'Private key files must be readable by the daemon user only: chmod 600.',
  },
  state_dir_unusable: {
    cause: 'The daemon cannot read or write `state_dir`, or another daemon uses the same directory.',
    retryable: true,
    hint: 'Check that state_dir belongs to the daemon user, who may write there.',
  },
  keepalive_lost: {
    cause: 'The host stopped answering, and the daemon closed the SSH session.',
    retryable: true,
    hint: 'The peer stopped answering: the network or the host is gone.',
  },
  forward_denied: {
    cause: 'The server refused to open a connection to the target.',
    retryable: false,
    hint: `The server forbids this forward: check AllowTcpForwarding, PermitOpen and the key or certificate options there. ${THEN_RELOAD}`,
  },
  target_refused: {
    cause: 'The target rejected the connection from the host.',
    retryable: true,
    hint: 'The host is reached, but the service behind the tunnel refuses connections: check that it runs.',
  },
  target_unreachable: {
    cause: 'The host cannot reach the target, or the target gave no valid answer in time.',
    retryable: true,
    hint: 'The host is reached, but the target is not reached from there: check the target address on the host.',
  },
  listen_in_use: {
    cause: 'Another program on this node already listens on the address.',
    retryable: true,
    hint: 'Another program holds the listen address: `ss -ltnp` names it.',
  },
  remote_listen_in_use: {
    cause: 'Another program or an older SSH session already listens on the address of the host.',
    retryable: true,
    hint: 'Another listener holds the address on the host.',
  },
  remote_listen_denied: {
    cause: 'The server refused to listen on the address for this user.',
    retryable: false,
    hint: 'The server forbids the listener: check AllowTcpForwarding, PermitListen and GatewayPorts.',
  },
  penalised: {
    cause: 'The server blocks this address for a while after failed logins (`PerSourcePenalties`).',
    retryable: true,
    hint: 'The server refuses this address for a while after failed logins: mend the credential and wait.',
  },
  internal: {
    cause:
      'A case without a code of its own. Often the machine is the cause, such as a privileged port or a missing directory.',
    retryable: false,
    hint: 'This is a bug in fleet-mesh: report it with the log.',
  },
} as const satisfies Record<string, Explained>;

/** A stable name of a failure (SPEC section 3). */
export type ErrorCode = keyof typeof CATALOGUE;

export const ERROR_CODES = Object.keys(CATALOGUE) as readonly ErrorCode[];

/** How an error is shown in `/status` (SPEC section 4, `last_error`). */
export interface ErrorReport {
  code: ErrorCode;
  message: string;
  hint: string;
  at: Date;
}

/** The one error family of this program: policy trusts its `code`, nobody matches on message text. */
export class TunnelError extends Error {
  override readonly name = 'TunnelError';
  readonly code: ErrorCode;
  /** Whether the same attempt can succeed later without anybody changing anything. */
  readonly retryable: boolean;
  /** One sentence of what would help. */
  readonly hint: string;
  /** When it happened (wall clock). */
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

  /** Anything thrown, as a member of the family: a foreign error is a bug and says so. */
  static from(error: unknown): TunnelError {
    if (error instanceof TunnelError) return error;
    return new TunnelError('internal', messageOf(error), { cause: error });
  }
}

/** A client was not served for what it asked, or for how it did: its own doing, which says nothing about the tunnel. */
export class TurnedAway extends TunnelError {}

/** The server accepted a credential and then forbade what the credential is for. */
export class UselessCredential extends TunnelError {}

/**
 * What a failure speaks about, for the codes on which policy depends. Every other code speaks about the way there, or about
 * this node.
 */
const SUBJECTS: { readonly [Code in ErrorCode]?: 'session' | 'credential' | 'host' | 'target' } = {
  connection_reset: 'session',
  keepalive_lost: 'session',
  auth_rejected: 'credential',
  penalised: 'credential',
  host_key_changed: 'host',
  host_cert_invalid: 'host',
  target_refused: 'target',
  target_unreachable: 'target',
  forward_denied: 'target',
};

/** Whether the error speaks about the session, not about the request: the same request may work on another session. */
export function isSessionLoss(error: unknown): boolean {
  return error instanceof TunnelError && SUBJECTS[error.code] === 'session';
}

/** Whether the server rejected our credential: offering the same credential again only does harm. */
export function isCredentialRejection(error: TunnelError): boolean {
  return error instanceof UselessCredential || SUBJECTS[error.code] === 'credential';
}

/** Whether one side rejected the identity of the other: the next attempt must wait, whoever waits for the attempt. */
export function isRejection(error: TunnelError): boolean {
  return isCredentialRejection(error) || SUBJECTS[error.code] === 'host';
}

/** Whether the error is the peer's verdict on the target, not trouble on the way to the target. */
export function isTargetVerdict(error: TunnelError): boolean {
  return SUBJECTS[error.code] === 'target';
}

/** The words of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The code that Node gives an error, as `ENOENT` of a system call; undefined for what carries none. */
export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Anything thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
