import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

export interface RepositoryOptions {
  /** Paths of Debian packages. */
  readonly packages: readonly string[];
  /** The directory of the repository; an existing one keeps its packages. */
  readonly out: string;
  /** `Date:` of the repository, in seconds since 1970. */
  readonly epoch: number;
  /** A key of the caller's GnuPG, which signs the repository. */
  readonly key: string;
}

const SUITE = 'stable';
const COMPONENT = 'main';
const POOL = `pool/${COMPONENT}`;
/** The file with the public key, for `Signed-By:`. */
export const KEYRING = 'fleet-mesh-archive-keyring.asc';
/** The package suits every architecture, and apt asks for the index of its own. These are the ones of Debian 13. */
const ARCHITECTURES = ['all', 'amd64', 'arm64', 'armhf', 'i386', 'ppc64el', 'riscv64', 's390x'];

/**
 * Builds an apt repository of the packages: pool, indexes, Release, InRelease and the public key. Equal input gives
 * equal bytes, apart from signatures. Needs dpkg-scanpackages(1) and gpg(1).
 */
export function buildRepository({ packages, out, epoch, key }: RepositoryOptions): void {
  for (const file of packages) put(out, join(POOL, 'f/fleet-mesh', basename(file)), file);
  const index = execFileSync('dpkg-scanpackages', ['--multiversion', POOL], {
    cwd: out,
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const indexes = ARCHITECTURES.flatMap((architecture) => [
    [`${COMPONENT}/binary-${architecture}/Packages`, index] as const,
    [`${COMPONENT}/binary-${architecture}/Packages.gz`, gzipSync(index, { level: 9 })] as const,
  ]);
  const dist = `dists/${SUITE}`;
  for (const [path, content] of indexes) write(join(out, dist, path), content);
  const release = join(out, dist, 'Release');
  write(release, releaseFile(indexes, new Date(epoch * 1_000)));
  const gpg = (...args: readonly string[]) =>
    execFileSync('gpg', ['--batch', '--yes', '--quiet', '--armor', '--local-user', key, ...args]);
  gpg('--output', join(out, dist, 'InRelease'), '--clearsign', release);
  gpg('--output', join(out, dist, 'Release.gpg'), '--detach-sign', release);
  gpg('--output', join(out, KEYRING), '--export', key);
}

/** The lines for /etc/apt/sources.list.d/fleet-mesh.sources (sources.list(5)). Pure. */
export function sourcesOf(uri: string): string {
  return `Types: deb\nURIs: ${uri}\nSuites: ${SUITE}\nComponents: ${COMPONENT}\nSigned-By: /etc/apt/keyrings/${KEYRING}\n`;
}

/** The file that names all indexes with their sums (wiki.debian.org/DebianRepository/Format). */
function releaseFile(indexes: readonly (readonly [path: string, content: Uint8Array])[], date: Date): string {
  const sums = indexes.map(([path, content]) => {
    const sum = createHash('sha256').update(content).digest('hex');
    return ` ${sum} ${String(content.length).padStart(8)} ${path}\n`;
  });
  return `Origin: fleet-mesh
Label: fleet-mesh
Suite: ${SUITE}
Codename: ${SUITE}
Date: ${date.toUTCString().replace('GMT', '+0000')}
Architectures: ${ARCHITECTURES.join(' ')}
Components: ${COMPONENT}
Description: Packages of fleet-mesh
SHA256:
${sums.join('')}`;
}

function put(out: string, path: string, file: string): void {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  copyFileSync(file, join(out, path));
}

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** The name and version of a package file, such as `fleet-mesh 0.2.0-1`. Throws if the file is no package. */
export function nameOf(file: string): string {
  return execFileSync('dpkg-deb', ['--show', '--showformat', `\${Package} \${Version}`, file], { encoding: 'utf8' });
}
