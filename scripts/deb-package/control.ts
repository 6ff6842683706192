import { createHash } from 'node:crypto';

export interface PackageVersion {
  /** The version in package.json. */
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
  /** The installed size, in KiB. */
  readonly size: number;
}

/** The maintainer, as debchange(1) reads DEBFULLNAME and DEBEMAIL. */
export function maintainerOf({ DEBFULLNAME, DEBEMAIL }: NodeJS.ProcessEnv): string {
  return `${DEBFULLNAME ?? 'fleet-mesh authors'} <${DEBEMAIL ?? 'fleet-mesh@localhost.invalid'}>`;
}

/** deb-control(5). Node has the version of package.json. No module is compiled, so the package suits every architecture. */
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
 its own sessions. It probes each target through its tunnel, renews user
 certificates without losing a connection, and explains every failure in
 words, on a status endpoint and in the log.
 .
 With the socket units, ports stay open during a restart or an upgrade of the
 daemon. The installation starts nothing.
`;
}

/** The dependency for the range in package.json: `>=20.19`. */
export function nodeDependency(range: string): string {
  const lowest = /^>=\s*([\d.]+)$/.exec(range)?.[1];
  if (lowest === undefined) throw new Error(`engines.node is ${range}; expected >=VERSION`);
  return `>= ${lowest}`;
}

/** deb-changelog(5) of the package; changelog.gz has the changes of the program. */
export function debianChangelog(version: string, maintainer: string, at: Date): string {
  return `fleet-mesh (${version}) unstable; urgency=medium

  * Changes of the program: see changelog.gz in this directory.

 -- ${maintainer}  ${at.toUTCString().replace('GMT', '+0000')}
`;
}

/** deb-md5sums(5): dpkg --verify and our maintainer scripts read the sums. */
export function md5sums(files: readonly (readonly [path: string, content: Uint8Array])[]): string {
  return files.map(([path, content]) => `${createHash('md5').update(content).digest('hex')}  ${path}\n`).join('');
}
