import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram } from '../machine/find-program.ts';
import { generateKey, type KeyFile } from './keys.ts';

export interface Signing {
  /** As for `ssh-keygen -V`. Default: an hour. */
  readonly validity?: string;
  /** As for `ssh-keygen -O`. */
  readonly options?: readonly string[];
  /** Fails with this text instead. */
  readonly down?: string;
  readonly principal?: string;
}

export interface SigningCommand {
  readonly ca: KeyFile;
  /** For `cert_command`. */
  readonly argv: readonly string[];
  /** Path for TrustedUserCAKeys. */
  readonly trustedFile: string;
  /** From the next run on. */
  set(signing: Signing): void;
  /** Runs so far. */
  runs(): number;
}

/** A CA with a `cert_command`: a script that runs `ssh-keygen -s`, with a new serial for each certificate. */
export function makeSigningCommand(directory: string, user: string, first: Signing = {}): SigningCommand {
  const ca = generateKey(join(directory, 'ca'));
  const trustedFile = join(directory, 'trusted_ca');
  writeFileSync(trustedFile, `${ca.publicKey}\n`);
  const [script, settings, log] = ['sign', 'sign.settings', 'sign.runs'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const set = ({ validity = '+1h', options = [], down, principal = user }: Signing) =>
    writeFileSync(
      settings,
      [
        `validity='${validity}'`,
        `options='${options.map((option) => `-O ${option}`).join(' ')}'`,
        `principal='${principal}'`,
        `down='${down ?? ''}'`,
        '',
      ].join('\n'),
    );
  set(first);
  writeFileSync(
    script,
    `#!/bin/sh
echo run >> ${log}
. ${settings}
if [ -n "$down" ]; then echo "$down" >&2; exit 1; fi
exec ${requireProgram('ssh-keygen')} -q -s ${ca.path} -I fleet-test -z "$(date +%s%N)" -n "$principal" -V "$validity" $options "$1"
`,
    { mode: 0o755 },
  );
  return {
    ca,
    argv: [script, '{pubkey}'],
    trustedFile,
    set,
    runs: () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0),
  };
}
