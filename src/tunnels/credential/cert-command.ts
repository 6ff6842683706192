import { type BigIntStats, constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { TunnelError } from '../../base/errors.ts';
import { type Outcome, runBounded } from '../../base/process/run-bounded.ts';
import { notStarted } from './not-started.ts';
import { lastLineRedacted } from './redact.ts';

export interface CertCommand {
  /** Program and arguments; every `{pubkey}` is replaced by `publicKeyPath`, also inside a word. */
  readonly argv: readonly string[];
  /** Absolute. */
  readonly publicKeyPath: string;
  readonly timeoutMs: number;
  /** The daemon's environment; {@link commandEnvironment} selects what the command gets. */
  readonly env: NodeJS.ProcessEnv;
  /** Undefined: the daemon's working directory. */
  readonly workingDirectory?: string | undefined;
}

/** Size limit of a certificate: several times the need of OpenSSH's largest keys. */
export const MOST_CERTIFICATE_BYTES = 64 * 1024;
/** Allows verbose commands (`VAULT_LOG_LEVEL=trace`), but no endless output. */
const STDERR_LIMIT = 1024 * 1024;

/**
 * Variables that commands do not get: systemd's protocols (systemd.exec(5), sd_notify(3), sd_listen_fds(3)), the
 * daemon's directories and sockets, its Node options, and the agent with every actor's keys. A command that needs one
 * sets the variable itself: `env SSH_AUTH_SOCK=/run/ca-agent ssh-keygen -Us …`.
 */
const OWN = [
  /^(?:NOTIFY_SOCKET|WATCHDOG_\w+|LISTEN_\w+|FDSTORE|MAINPID|MANAGERPID|SYSTEMD_\w+|INVOCATION_ID|JOURNAL_STREAM)$/,
  /^(?:MEMORY_PRESSURE_\w+|REMOTE_\w+|TRIGGER_\w+|SERVICE_RESULT|EXIT_CODE|EXIT_STATUS|MONITOR_\w+|PIDFILE)$/,
  /^(?:CREDENTIALS|ENCRYPTED_CREDENTIALS|RUNTIME|STATE|CACHE|LOGS|CONFIGURATION)_DIRECTORY$/,
  /^(?:NODE_OPTIONS|NODE_V8_COVERAGE|NODE_CHANNEL_\w+|NODE_UNIQUE_ID|NODE_REPL_\w+)$/,
  /^(?:SSH_AUTH_SOCK|SSH_AGENT_PID|SSH_ASKPASS|SSH_ASKPASS_REQUIRE)$/,
];

/** A certificate in the format of an authorized_keys line (sshd(8), OpenSSH PROTOCOL.certkeys). */
const CERTIFICATE = /(?:^|\s)[\w@.-]+-cert-v\d\d@openssh\.com\s/;

/**
 * Runs an actor's `cert_command` once and returns its certificate text: standard output, or else the file that this run
 * wrote beside the public key (`x.pub` → `x-cert.pub`, as `ssh-keygen -s` and `step ssh certificate` do). The text is
 * not checked and never appears in a message. Rejects with `cert_command_timeout`, with `cert_command_failed` for every
 * other failure, or with the reason of `signal`.
 */
export async function runCertCommand(command: CertCommand, signal: AbortSignal): Promise<string> {
  const { publicKeyPath, timeoutMs, workingDirectory } = command;
  const argv = command.argv.map((word) => word.replaceAll('{pubkey}', publicKeyPath));
  const env = commandEnvironment(command.env);
  const besides = certificatePathOf(publicKeyPath);
  const before = await stampOf(besides);
  const limits = { stdoutLimit: MOST_CERTIFICATE_BYTES, stderrLimit: STDERR_LIMIT };
  const outcome = await runBounded({ argv, env, workingDirectory, timeoutMs, ...limits }, signal);
  const stdout = await outputOf(outcome, argv, command, env);
  if (CERTIFICATE.test(stdout)) return stdout;
  if ((await stampOf(besides)) !== before) return readCertificate(besides);
  if (stdout.trim() !== '') return stdout;
  throw new TunnelError('cert_command_failed', `cert_command printed nothing and did not write ${besides}`, {
    hint: 'The command must print the certificate, or write the file next to the public key {pubkey}.',
  });
}

/**
 * The environment of a `cert_command`: the daemon's, without the variables in {@link OWN}. The rest stays, because
 * operators set `VAULT_ADDR`, `STEPPATH`, `HTTPS_PROXY` or a token for the command in the unit.
 */
export function commandEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OWN.some((pattern) => pattern.test(name))));
}

/** The path where `ssh-keygen -s` writes the certificate of a public key: `x-cert.pub` for `x.pub`. */
export function certificatePathOf(publicKeyPath: string): string {
  return `${publicKeyPath.replace(/\.pub$/, '')}-cert.pub`;
}

async function outputOf(
  outcome: Outcome,
  argv: readonly string[],
  { timeoutMs, workingDirectory }: CertCommand,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  switch (outcome.kind) {
    case 'not_started':
      throw await notStarted(outcome.error, argv[0] ?? '', workingDirectory, env);
    case 'timeout':
      throw new TunnelError(
        'cert_command_timeout',
        `cert_command did not finish within ${timeoutMs / 1_000} s${saying(outcome.stderr)}`,
      );
    case 'too_much_output':
      throw failed(
        outcome.stream === 'stdout'
          ? `cert_command printed more than ${MOST_CERTIFICATE_BYTES / 1024} KiB`
          : `cert_command wrote more than ${STDERR_LIMIT / 1024} KiB to standard error`,
        outcome.stderr,
      );
    case 'signalled':
      throw failed(`cert_command was killed by ${outcome.signal}`, outcome.stderr);
    case 'exited':
      if (outcome.code === 0) return outcome.stdout.toString('utf8');
      throw failed(`cert_command failed with exit code ${outcome.code}`, outcome.stderr);
  }
}

function failed(message: string, stderr: Buffer): TunnelError {
  return new TunnelError('cert_command_failed', `${message}${saying(stderr)}`);
}

function saying(stderr: Buffer): string {
  const line = lastLineRedacted(stderr.toString('utf8'));
  return line === '' ? '' : `: ${line}`;
}

/** Changes with every write of the file; undefined while the file does not exist. */
async function stampOf(path: string): Promise<string | undefined> {
  const stats = await lstat(path, { bigint: true }).catch((): BigIntStats | undefined => undefined);
  return stats && [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join('.');
}

async function readCertificate(path: string): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new TunnelError('cert_command_failed', `cert_command wrote ${path}, but the file ${why}`, { cause });
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error) => {
    throw refuse('cannot be read', error);
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw refuse('is not a regular file');
    const bytes = Buffer.alloc(MOST_CERTIFICATE_BYTES + 1);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead > MOST_CERTIFICATE_BYTES) throw refuse(`is larger than ${MOST_CERTIFICATE_BYTES / 1024} KiB`);
    return bytes.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
