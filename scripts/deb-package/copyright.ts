import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dependency } from './dependencies.ts';

/** A part of the package and its licence. */
interface Part {
  readonly files: string;
  readonly title: string;
  readonly license: string;
  readonly holders: string;
  readonly terms: string;
}

/** Licences that are on every Debian system: a package does not repeat their text (Debian Policy 12.5). */
const COMMON: Readonly<Record<string, string>> = {
  'Apache-2.0': 'On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.',
};

/** The status page, with its libraries inside. */
const PAGE = 'dist/operator/page/index.html';

/**
 * debian/copyright (machine-readable, version 1.0): our licence and the licence text of each dependency. The program
 * directory contains no licence files.
 */
export function copyright(
  checkout: string,
  dependencies: readonly Dependency[],
  bundled: readonly Dependency[],
): string {
  const ours = readFileSync(join(checkout, 'LICENSE'), 'utf8');
  const parts: Part[] = [
    { files: '*', title: 'fleet-mesh', license: 'MIT', holders: holdersIn(ours), terms: ours },
    ...dependencies.map((dependency) => partOf(checkout, dependency, `${dependency.path}/*`)),
    ...bundled.map((dependency) => partOf(checkout, dependency, PAGE)),
  ];
  const header =
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: fleet-mesh\n';
  return [header, ...parts.map(stanza)].join('\n');
}

function partOf(checkout: string, { path, name, version, license, author, homepage }: Dependency, files: string): Part {
  const terms = licenseText(join(checkout, path));
  return {
    files: `usr/lib/fleet-mesh/${files}`,
    title: [`${name} ${version}`, ...(homepage === undefined ? [] : [homepage])].join(', '),
    license,
    holders: holdersIn(terms) || author || `the ${name} authors`,
    terms: COMMON[license] ?? (terms || `package.json says ${license}; the package contains no licence text.`),
  };
}

function stanza({ files, title, license, holders, terms }: Part): string {
  return `Files: ${files}
Comment: ${title}
Copyright: ${holders.replaceAll('\n', '\n ')}
License: ${license.replace(/[()]/g, '').replaceAll(' OR ', ' or ').replaceAll(' AND ', ' and ')}
${continued(terms)}
`;
}

/** Continuation lines of a field: indented, a dot for an empty line. */
function continued(text: string): string {
  return text
    .trim()
    .split(/\r?\n/)
    .map((line) => ` ${line.trimEnd() || '.'}`)
    .join('\n');
}

function holdersIn(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines
    .filter((line) => /^copyright( \(c\)| ©)? .*\w{3}/i.test(line) && !/owner|holder|notice|\[yyyy\]/i.test(line))
    .join('\n');
}

export function isLicenseFile(name: string): boolean {
  return /^(licen[sc]e|copying|notice)([-.].*)?$/i.test(name);
}

function licenseText(directory: string): string {
  return readdirSync(directory)
    .filter(isLicenseFile)
    .sort()
    .map((name) => readFileSync(join(directory, name), 'utf8').trim())
    .join('\n\n');
}
