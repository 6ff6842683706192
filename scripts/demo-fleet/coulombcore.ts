import { startCertifiedLab } from '../../tests/support/daemon/certified-mesh.ts';
import { findProgram } from '../../tests/support/machine/find-program.ts';
import { startEmbeddedSshd } from '../../tests/support/peers/embedded-sshd.ts';
import { print } from './say.ts';

/** How long the CA's certificates live, in seconds, and after which part of that there is another. */
export interface Pace {
  readonly lifeSeconds: number;
  readonly renewAfter: number;
}

export interface DemoCa {
  /** What it says until it is up. */
  readonly excuse: string;
  /** As in the YAML. */
  readonly certCommand: string;
  /** The exception that permits the static key. */
  readonly exception: string;
  /** From now on `cert_command` gets certificates. */
  comeUp(): void;
}

/** What the demo needs of "coulombcore", whichever server plays it. */
export interface Coulombcore extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly knownHostsFile: string;
  /** As in the YAML. */
  readonly actor: { readonly key: string; readonly [field: string]: unknown };
  /** Undefined where the server takes no certificates. */
  readonly ca: DemoCa | undefined;
  /** Cuts every SSH session; says what it did. */
  readonly killSessions: () => string;
  /** The same for a person's shell, as long as these sessions live; undefined where there is no such thing. */
  readonly killCommand: () => string | undefined;
  log(): string;
}

const EXCUSE = 'the demo CA is not up yet';
const EXCEPTION = 'static-key-until-the-ca-is-up';

/** A real sshd that knows a static key and trusts a CA; where there is none, an embedded server that knows a static key. */
export async function startCoulombcore({ lifeSeconds, renewAfter }: Pace): Promise<Coulombcore> {
  if (findProgram('sshd') === undefined || findProgram('ssh-keygen') === undefined) return startEmbedded();
  const lab = await startCertifiedLab({ down: EXCUSE });
  const { sshd, signing } = lab;
  const certCommand = signing.argv.join(' ');
  print(`   a real sshd (${findProgram('sshd')}) on 127.0.0.1:${sshd.port}, own host key, user ${sshd.user}`);
  print(`   It knows a static key, and would trust a CA. cert_command: ${certCommand}`);
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
      // From now: ssh-keygen would date it back by a minute, and a certificate that is older than the last need of the static
      // key does not prove that the key can go.
      comeUp: () => signing.set({ validity: `+0s:+${lifeSeconds}s` }),
    },
    killSessions: () => {
      const pids = sshd.sessionPids();
      sshd.killSessions('SIGKILL');
      return `kill -9 ${pids.join(' ')} (the sshd processes of its SSH sessions)`;
    },
    killCommand: () => `kill -9 ${sshd.sessionPids().join(' ')}`,
    log: () => sshd.log(),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

async function startEmbedded(): Promise<Coulombcore> {
  const embedded = await startEmbeddedSshd();
  print(`   NO sshd ON THIS MACHINE: the demo uses an SSH server of ssh2 instead, on 127.0.0.1:${embedded.port}`);
  print('   It takes no certificates: the demo stays with the static key.');
  return {
    port: embedded.port,
    user: embedded.user,
    knownHostsFile: embedded.knownHostsFile,
    actor: { key: embedded.clientKeyFile },
    ca: undefined,
    killSessions: () => `cut ${embedded.killSessions('rst')} SSH sessions of the embedded server`,
    killCommand: () => undefined,
    log: () => '(the embedded server keeps none)',
    [Symbol.asyncDispose]: () => embedded[Symbol.asyncDispose](),
  };
}
