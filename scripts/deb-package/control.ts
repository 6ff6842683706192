import { createHash } from 'node:crypto';

export interface PackageVersion {
  /** As in package.json. */
  readonly upstream: string;
  /** Counts packages of the same program. */
  readonly revision: string;
}

/** Pre-releases come before their release in Debian's order: 1.0.0-rc.1 is 1.0.0~rc.1. */
export function debianVersion({ upstream, revision }: PackageVersion): string {
  return `${upstream.replaceAll('-', '~')}-${revision}`;
}

export interface Facts {
  readonly version: string;
  readonly maintainer: string;
  readonly summary: string;
  /** What is installed, in KiB. */
  readonly size: number;
}

/** deb-control(5). The version of Node is that of package.json; no compiled module is inside, hence for all machines. */
export function controlFile({ version, maintainer, summary, size }: Facts, node: string): string {
  return `Package: fleet-mesh
Version: ${version}
Architecture: all
Maintainer: ${maintainer}
Installed-Size: ${size}
Depends: nodejs (${node}), systemd
Recommends: openssh-client
Section: net
Priority: optional
Description: ${summary}
 A daemon that keeps local, remote and dynamic SSH forwards up for ever over
 sessions of its own, asks the target through each tunnel whether it answers,
 renews user certificates without losing a connection, and explains every
 failure in words, on a status endpoint and in the log.
 .
 With the socket units, ports stay open while the daemon is restarted or
 upgraded. Nothing is started by the installation.
`;
}

/** The lowest version of a range as package.json writes it: `>=20.19`. */
export function nodeDependency(range: string): string {
  const lowest = /^>=\s*([\d.]+)$/.exec(range)?.[1];
  if (lowest === undefined) throw new Error(`engines.node is ${range}; expected >=VERSION`);
  return `>= ${lowest}`;
}

/** deb-changelog(5): what the package is; what is new in the program is in its own changelog beside it. */
export function debianChangelog(version: string, maintainer: string, at: Date): string {
  return `fleet-mesh (${version}) unstable; urgency=medium

  * What is new in the program: changelog.gz, beside this file.

 -- ${maintainer}  ${at.toUTCString().replace('GMT', '+0000')}
`;
}

/** deb-md5sums(5), by which dpkg --verify, and our own scripts, know what was installed. */
export function md5sums(files: readonly (readonly [path: string, content: Uint8Array])[]): string {
  return files.map(([path, content]) => `${createHash('md5').update(content).digest('hex')}  ${path}\n`).join('');
}
