import { startCertifiedLab } from '../../tests/support/daemon/certified-mesh.ts';
import { findProgram } from '../../tests/support/machine/find-program.ts';
import { startEmbeddedSshd } from '../../tests/support/peers/embedded-sshd.ts';
import { print } from './say.ts';

/** The lifetime of certificates in seconds, and the share of the lifetime before a renewal. */
export interface Pace {
  readonly lifeSeconds: number;
  readonly renewAfter: number;
}

export interface DemoCa {
  /** The error message while the CA is down. */
  readonly excuse: string;
  /** The command in the YAML. */
  readonly certCommand: string;
  /** The exception that permits the static key. */
  readonly exception: string;
  /** Starts the CA: `cert_command` then succeeds. */
  comeUp(): void;
}

/** The host "coulombcore" of the demo, a real or an embedded SSH server. */
export interface Coulombcore extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly knownHostsFile: string;
  /** The actor in the YAML. */
  readonly actor: { readonly key: string; readonly [field: string]: unknown };
  /** Undefined: the server accepts no certificates. */
  readonly ca: DemoCa | undefined;
  /** Ends every SSH session; returns what was done. */
  readonly killSessions: () => string;
  /** The server's processes of the present sessions; none for an embedded server. */
  readonly sessionPids: () => readonly number[];
  /** The shell command that ends the present sessions; undefined: none. */
  readonly killCommand: () => string | undefined;
  log(): string;
}

const EXCUSE = 'the demo CA is not up yet';
const EXCEPTION = 'static-key-until-the-ca-is-up';

/** A real sshd that accepts a static key and trusts a CA; without sshd, an embedded server that accepts a static key. */
export async function startCoulombcore({ lifeSeconds, renewAfter }: Pace): Promise<Coulombcore> {
  if (findProgram('sshd') === undefined || findProgram('ssh-keygen') === undefined) return startEmbedded();
  const lab = await startCertifiedLab({ down: EXCUSE });
  const { sshd, signing } = lab;
  const certCommand = signing.argv.join(' ');
  print(`   a real sshd (${findProgram('sshd')}) on 127.0.0.1:${sshd.port}, own host key, user ${sshd.user}`);
  print(`   The sshd accepts a static key and trusts a CA. cert_command: ${certCommand}`);
  return {
    port: sshd.port,
    user: sshd.user,
    knownHostsFile: sshd.knownHostsFile,
    actor: {
      key: lab.key.path,
      cert_command: signing.argv,
      renew_after: renewAfter,
      fallback: { key: sshd.clientKeyFile, exception: EXCEPTION },
    },
    ca: {
      excuse: EXCUSE,
      certCommand,
      exception: EXCEPTION,
      // Starts now: ssh-keygen would start the validity a minute ago. A certificate older than the last use of the static key
      // does not prove that the key can be removed.
      comeUp: () => signing.set({ validity: `+0s:+${lifeSeconds}s` }),
    },
    killSessions: () => {
      const pids = sshd.sessionPids();
      sshd.killSessions('SIGKILL');
      return `kill -9 ${pids.join(' ')} (the sshd processes of the SSH sessions)`;
    },
    sessionPids: () => sshd.sessionPids(),
    killCommand: () => `kill -9 ${sshd.sessionPids().join(' ')}`,
    log: () => sshd.log(),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

async function startEmbedded(): Promise<Coulombcore> {
  const embedded = await startEmbeddedSshd();
  print(`   NO sshd ON THIS MACHINE: the demo uses an SSH server of ssh2 instead, on 127.0.0.1:${embedded.port}`);
  print('   The server accepts no certificates: the demo uses the static key only.');
  return {
    port: embedded.port,
    user: embedded.user,
    knownHostsFile: embedded.knownHostsFile,
    actor: { key: embedded.clientKeyFile },
    ca: undefined,
    killSessions: () => `cut ${embedded.killSessions('rst')} SSH sessions of the embedded server`,
    sessionPids: () => [],
    killCommand: () => undefined,
    log: () => '(the embedded server has no log)',
    [Symbol.asyncDispose]: () => embedded[Symbol.asyncDispose](),
  };
}
