import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './deb-package.ts';

const KEY = 'fleet-mesh test <nobody@localhost.invalid>';

/** Builds a repository of these packages with scripts/apt-repo, signed by a key that only this repository has. */
export function signedRepository(out: string, packages: readonly string[], temp: string): void {
  const home = join(temp, 'gnupg');
  mkdirSync(home, { mode: 0o700 });
  const options = { env: { ...process.env, GNUPGHOME: home }, cwd: CHECKOUT, stdio: 'ignore' } as const;
  try {
    const args = ['--batch', '--quiet', '--passphrase', '', '--quick-generate-key', KEY, 'ed25519', 'sign', 'never'];
    execFileSync('gpg', args, options);
    const script = ['--import', 'tsx', 'scripts/apt-repo/main.ts', '--out', out, '--key', KEY];
    execFileSync(process.execPath, [...script, ...packages], options);
  } finally {
    execFileSync('gpgconf', ['--kill', 'all'], options);
  }
}

/** A package that only says that Node is there: boxes have Node without a package. Returns the path. */
export function nodePackage(temp: string): string {
  const root = join(temp, 'nodejs');
  mkdirSync(join(root, 'DEBIAN'), { recursive: true });
  writeFileSync(
    join(root, 'DEBIAN/control'),
    'Package: nodejs\nVersion: 20.19.0-1\nArchitecture: all\nMaintainer: nobody <nobody@localhost.invalid>\nDescription: says that Node is there\n',
  );
  const file = join(temp, 'nodejs_20.19.0-1_all.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', root, file], { stdio: 'ignore' });
  return file;
}
