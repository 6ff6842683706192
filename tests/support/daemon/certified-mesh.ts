import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { generateKey, type KeyFile } from '../certificates/keys.ts';
import { makeSigningCommand, type Signing, type SigningCommand } from '../certificates/signing-command.ts';
import { type Sshd, startSshd } from '../peers/real-sshd.ts';
import { type Mesh, type MeshOptions, startMesh } from './mesh.ts';

export interface CertifiedLab extends AsyncDisposable {
  readonly sshd: Sshd;
  readonly signing: SigningCommand;
  /** A key that the server accepts only with a certificate of the CA. */
  readonly key: KeyFile;
  /** The `actor` for a YAML: the key with its `cert_command`. */
  readonly actor: Readonly<Record<string, unknown>>;
  /** A daemon with its own state directory, which outlives the daemon. */
  mesh(options: Omit<MeshOptions, 'sshd'>): Promise<Mesh>;
}

/** A real sshd that trusts a CA, and the settings for a daemon that logs in with certificates. */
export async function startCertifiedLab(
  first: Signing = {},
  extraConfig: readonly string[] = [],
): Promise<CertifiedLab> {
  const sshd = await startSshd();
  const signing = makeSigningCommand(sshd.directory, sshd.user, first);
  await sshd.restart({ extraConfig: [`TrustedUserCAKeys ${signing.trustedFile}`, ...extraConfig] });
  const key = generateKey(join(sshd.directory, 'certified'));
  const actor = { key: key.path, cert_command: signing.argv };
  const state = join(sshd.directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  return {
    sshd,
    signing,
    key,
    actor,
    mesh: (options) =>
      startMesh({
        sshd,
        ...options,
        actor: options.actor ?? actor,
        extra: { state_dir: state, ...options.extra },
      }),
    [Symbol.asyncDispose]: () => sshd[Symbol.asyncDispose](),
  };
}
