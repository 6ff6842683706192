import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildPackage } from '../deb-package/build.ts';
import { makeSbom } from './sbom.ts';
import { packTarball } from './tarball.ts';

export interface ArtefactOptions {
  /** A checkout with dist/ and node_modules/. */
  readonly checkout: string;
  /** The directory for the files. */
  readonly out: string;
  readonly version: string;
  readonly maintainer: string;
  /** The time of all files, in seconds since 1970. */
  readonly epoch: number;
}

/** Makes all files of a release: Debian package, npm package, bill of materials and checksums. Returns their names. */
export function makeArtefacts({ checkout, out, version, maintainer, epoch }: ArtefactOptions): string[] {
  mkdirSync(out, { recursive: true });
  const deb = buildPackage({ checkout, out, revision: '1', maintainer, epoch });
  const tarball = packTarball(checkout, out);
  const sbom = `fleet-mesh-${version}.cdx.json`;
  writeFileSync(join(out, sbom), makeSbom(checkout, epoch));
  const files = [basename(deb), basename(tarball), sbom].sort();
  writeFileSync(join(out, 'SHA256SUMS'), checksums(out, files));
  return [...files, 'SHA256SUMS'];
}

/** As sha256sum(1) prints and checks them. */
function checksums(directory: string, files: readonly string[]): string {
  const sum = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(directory, name)))
      .digest('hex');
  return files.map((name) => `${sum(name)}  ${name}\n`).join('');
}
