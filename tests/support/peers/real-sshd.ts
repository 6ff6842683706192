import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { generateKey, type KeyFile, type KeyType } from '../certificates/keys.ts';
import { requireProgram } from '../machine/find-program.ts';
import { type OwnedProcess, spawnOwned } from '../machine/owned-process.ts';
import { childrenOf, descendantsOf, isAlive, killTrees, nameOf, signal } from '../machine/proc.ts';
import { tempDir } from '../machine/temp-dir.ts';
import { waitUntil } from '../wait-until.ts';
import { freePort } from './loopback.ts';
import { sshdConfig } from './sshd-config.ts';

export interface SshdOptions {
  /** Default: a free one. */
  port?: number;
  /** Default: ed25519 alone. */
  hostKeyTypes?: readonly KeyType[];
  /** Lines put before everything else: sshd takes the first value of a keyword. */
  extraConfig?: readonly string[];
  clientKey?: { type?: KeyType; passphrase?: string };
  /** sshd's own lock-out of an address after failed logins (OpenSSH 9.8 and later). Default: off. */
  penalties?: boolean;
  /** A wrapper command that runs sshd from its arguments, and becomes sshd. */
  wrapper?: (directory: string) => readonly string[];
}

export interface RestartOptions {
  /** New host keys; known_hosts keeps the old ones until `trustHostKeys()`. */
  newHostKey?: boolean;
  /** Replaces the lines given at the start. */
  extraConfig?: readonly string[];
}

export interface Sshd extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  /** Its temporary directory, for more files of the same test. */
  readonly directory: string;
  /** Private host key of the first type asked for. */
  readonly hostKeyFile: string;
  readonly hostKeys: () => readonly KeyFile[];
  /** `[127.0.0.1]:port` with all host keys. */
  readonly knownHostsFile: string;
  /** Private key that the server lets in, 0600. */
  readonly clientKeyFile: string;
  readonly clientKey: KeyFile;
  readonly authorizedKeysFile: string;
  readonly pid: () => number;
  /** Everything it logged since the start, over restarts. */
  log(): string;
  /** The processes that carry connections (with privilege separation several for each), listener excluded. */
  sessionPids(): number[];
  /** Kills every connection; the listener lives on. Returns how many processes were hit. */
  killSessions(name?: NodeJS.Signals): number;
  /** Kills one connection, the oldest, with all of its processes. */
  killSession(): void;
  /** Lets another public key (`type base64`) in; `options` as in authorized_keys. */
  authorize(publicKey: string, options?: string): void;
  /** Writes the present host keys into known_hosts. */
  trustHostKeys(): void;
  /** Ends the listener and the connections; with `keepSessions` only the listener. */
  stop(options?: { keepSessions?: boolean }): Promise<void>;
  /** On the same port, after `stop()` or instead of it. */
  restart(options?: RestartOptions): Promise<void>;
}

/** A real OpenSSH server on loopback, run by the user of the tests, who can log in with the generated key. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const program = requireProgram('sshd');
  const user = userInfo().username;
  // As root sshd insists on its privilege separation directory; unprivileged it does not use it.
  if (process.getuid?.() === 0 && !existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 });

  const temp = tempDir('sshd');
  const file = (name: string) => join(temp.path, name);
  const types = options.hostKeyTypes ?? ['ed25519'];
  const makeHostKeys = () => types.map((type) => generateKey(file(`host_${type}_key`), { type }));
  let hostKeys = makeHostKeys();
  const clientKey = generateKey(file('client_key'), options.clientKey);
  const authorizedKeysFile = file('authorized_keys');
  writeFileSync(authorizedKeysFile, `${clientKey.publicKey}\n`, { mode: 0o600 });
  const knownHostsFile = file('known_hosts');

  let { extraConfig = [] } = options;
  let port = options.port ?? (await freePort());
  let earlierLog = '';
  let listener: OwnedProcess | undefined;
  const left = new Set<number>();
  const log = () => earlierLog + (listener?.stderr() ?? '');
  // Without root a login forks once more after it has let its client in: listed at each call, not when it was left.
  const sessionPids = () => {
    const below = listener === undefined ? [] : descendantsOf(listener.pid);
    const kept = [...left].flatMap((pid) => [pid, ...descendantsOf(pid)]);
    return [...new Set([...below, ...kept])].filter(isSshd);
  };

  const trustHostKeys = () =>
    writeFileSync(knownHostsFile, hostKeys.map((key) => `[127.0.0.1]:${port} ${key.publicKey}\n`).join(''));

  const start = async () => {
    const paths = { hostKeys: hostKeys.map((key) => key.path), authorizedKeysFile };
    writeFileSync(file('sshd_config'), sshdConfig(program, user, port, paths, { ...options, extraConfig }));
    const command = [...(options.wrapper?.(temp.path) ?? []), program, '-D', '-e', '-f', file('sshd_config')];
    const process = spawnOwned(command[0] ?? program, command.slice(1));
    listener = process;
    const over = () => process.child.exitCode !== null || process.child.signalCode !== null;
    // Read from the log: a test connection would appear there and count as a failed login.
    await waitUntil('sshd listens', () => over() || /Server listening on/.test(process.stderr()), 10_000, log);
    if (over()) throw new Error(`sshd ended at once\n${log()}`);
  };
  const stop = async ({ keepSessions = false } = {}) => {
    const process = listener;
    if (process === undefined) return;
    // Stopped first: a client that reconnects just now must not get a session that nobody has listed.
    signal(process.pid, 'SIGSTOP');
    const sessions = sessionPids();
    if (keepSessions) {
      for (const pid of sessions) left.add(pid);
      signal(process.pid, 'SIGKILL');
      // Not its `exit`: the sessions keep its stderr open.
      await waitUntil('sshd ends', () => !isAlive(process.pid));
    } else {
      killTrees(sessions);
      left.clear();
      await process.stop('SIGKILL');
    }
    earlierLog = log();
    listener = undefined;
  };

  const startOnFreePort = async () => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await start();
      } catch (error) {
        // Another program may have taken the port since freePort().
        if (options.port !== undefined || attempt === 5 || !/Address already in use/.test(log())) throw error;
        port = await freePort();
      }
    }
  };
  try {
    await startOnFreePort();
  } catch (error) {
    await stop();
    temp[Symbol.dispose]();
    throw error;
  }
  trustHostKeys();

  return {
    port,
    user,
    directory: temp.path,
    hostKeyFile: file(`host_${types[0]}_key`),
    hostKeys: () => hostKeys,
    knownHostsFile,
    clientKeyFile: clientKey.path,
    clientKey,
    authorizedKeysFile,
    pid: () => {
      if (listener === undefined) throw new Error('sshd is stopped');
      return listener.pid;
    },
    log,
    sessionPids,
    killSessions(name = 'SIGKILL') {
      const pids = sessionPids();
      if (name === 'SIGKILL') killTrees(pids);
      else for (const pid of pids) signal(pid, name);
      return pids.length;
    },
    killSession() {
      const [oldest] = listener === undefined ? [] : childrenOf(listener.pid);
      if (oldest === undefined) throw new Error('there is no session to kill');
      killTrees([oldest]);
    },
    authorize(publicKey, keyOptions) {
      const line = keyOptions === undefined ? publicKey : `${keyOptions} ${publicKey}`;
      writeFileSync(authorizedKeysFile, `${readFileSync(authorizedKeysFile, 'utf8')}${line}\n`);
    },
    trustHostKeys,
    stop,
    async restart({ newHostKey = false, extraConfig: changed } = {}) {
      await stop();
      if (changed !== undefined) extraConfig = changed;
      if (newHostKey) hostKeys = makeHostKeys();
      await start();
    },
    async [Symbol.asyncDispose]() {
      killTrees(sessionPids());
      await stop();
      temp[Symbol.dispose]();
    },
  };
}

/** A recorded pid may belong to another program by now. */
function isSshd(pid: number): boolean {
  return isAlive(pid) && nameOf(pid).startsWith('sshd');
}
