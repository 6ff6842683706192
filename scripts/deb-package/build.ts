import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { configJsonSchema } from '../../src/config/schema.ts';
import { bashCompletion } from '../../src/operator/commands/completion/bash.ts';
import { fishCompletion } from '../../src/operator/commands/completion/fish.ts';
import { outlineOf } from '../../src/operator/commands/completion/outline.ts';
import { zshCompletion } from '../../src/operator/commands/completion/zsh.ts';
import { program } from '../../src/program.ts';
import type { SchemaNode } from '../reference/schema-fields.ts';
import { controlFile, debianChangelog, debianVersion, md5sums, nodeDependency } from './control.ts';
import { copyright } from './copyright.ts';
import { bundledDependencies, productionDependencies } from './dependencies.ts';
import { commandPage } from './manual/command-page.ts';
import { tunnelsPage } from './manual/tunnels-page.ts';
import { install, installProgram, write } from './program-files.ts';
import { packagedUnit } from './units.ts';

export interface BuildOptions {
  readonly checkout: string;
  /** The directory for the package. */
  readonly out: string;
  readonly revision: string;
  readonly maintainer: string;
  /** The time of all files in the package, in seconds since 1970 (SOURCE_DATE_EPOCH). */
  readonly epoch: number;
  /** xz makes the package a third smaller and takes seconds. Default xz. */
  readonly compression?: 'xz' | 'gzip';
}

interface Manifest {
  readonly version: string;
  readonly description: string;
  readonly engines: { readonly node: string };
}

/**
 * Builds the Debian package from the present dist/ and node_modules/. Equal input gives equal bytes. Returns the path of the
 * package. Needs dpkg-deb(1), but no network.
 */
export function buildPackage(options: BuildOptions): string {
  const { checkout, out, revision, maintainer, epoch, compression = 'xz' } = options;
  const manifest = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as Manifest;
  const version = debianVersion({ upstream: manifest.version, revision });
  const temp = mkdtempSync(join(tmpdir(), 'fleet-mesh-deb-'));
  try {
    const root = join(temp, 'root');
    installContent(root, options, manifest.version, version);
    const files = filesBelow(root).map((path) => [path, readFileSync(join(root, path))] as const);
    const size = Math.ceil(files.reduce((sum, [, { length }]) => sum + length, 0) / 1_024);
    const facts = { version, maintainer, summary: summaryOf(manifest.description), size };
    write(join(root, 'DEBIAN/control'), controlFile(facts, nodeDependency(manifest.engines.node)));
    write(join(root, 'DEBIAN/md5sums'), md5sums(files));
    const conffiles = files.filter(([path]) => path.startsWith('etc/')).map(([path]) => `/${path}\n`);
    write(join(root, 'DEBIAN/conffiles'), conffiles.join(''));
    for (const name of ['preinst', 'postinst', 'prerm', 'postrm']) {
      write(join(root, 'DEBIAN', name), readFileSync(new URL(`maintainer/${name}`, import.meta.url)), 0o755);
    }
    openDirectories(root);
    mkdirSync(out, { recursive: true });
    const file = join(out, `fleet-mesh_${version}_all.deb`);
    const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
    execFileSync('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--build', root, file], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return file;
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}

function installContent(
  root: string,
  { checkout, maintainer, epoch }: BuildOptions,
  upstream: string,
  version: string,
): void {
  const at = new Date(epoch * 1_000);
  const date = at.toISOString().slice(0, 10);
  const dependencies = productionDependencies(checkout);
  const outline = outlineOf(program);
  const schema = configJsonSchema() as SchemaNode;
  const put = (path: string, text: string) => write(join(root, path), text);
  const zipped = (path: string, text: string | Uint8Array) => write(join(root, path), gzipSync(text, { level: 9 }));
  const source = (path: string) => readFileSync(join(checkout, path), 'utf8');

  installProgram(checkout, join(root, 'usr/lib/fleet-mesh'), dependencies);
  mkdirSync(join(root, 'usr/bin'));
  symlinkSync('../lib/fleet-mesh/dist/cli.js', join(root, 'usr/bin/fleet-mesh'));
  installUnits(checkout, root);

  for (const name of readdirSync(join(checkout, 'config'), { recursive: true, encoding: 'utf8' })) {
    if (/^(prometheus|grafana)\/.*\.\w+$/.test(name)) put(`usr/share/fleet-mesh/${name}`, source(`config/${name}`));
    if (/^example-.*\.yaml$/.test(name)) put(`etc/fleet-mesh/${name}`, exampleFrom(source(`config/${name}`)));
    if (name.endsWith('.schema.json')) put(`usr/share/fleet-mesh/${name}`, source(`config/${name}`));
  }
  zipped('usr/share/doc/fleet-mesh/alerts.md.gz', source('docs/alerts.md'));
  zipped('usr/share/man/man1/fleet-mesh.1.gz', commandPage(outline, upstream, date));
  zipped('usr/share/man/man5/fleet-mesh-tunnels.5.gz', tunnelsPage(schema, upstream, date));
  put('usr/share/bash-completion/completions/fleet-mesh', bashCompletion(outline));
  put('usr/share/zsh/vendor-completions/_fleet-mesh', zshCompletion(outline));
  put('usr/share/fish/vendor_completions.d/fleet-mesh.fish', fishCompletion(outline));
  put('usr/share/doc/fleet-mesh/copyright', copyright(checkout, dependencies, bundledDependencies(checkout)));
  zipped('usr/share/doc/fleet-mesh/changelog.gz', source('CHANGELOG.md'));
  zipped('usr/share/doc/fleet-mesh/changelog.Debian.gz', debianChangelog(version, maintainer, at));
  put('usr/share/lintian/overrides/fleet-mesh', readFileSync(new URL('lintian-overrides', import.meta.url), 'utf8'));
}

function installUnits(checkout: string, root: string): void {
  for (const kind of ['system', 'user']) {
    const into = join(root, 'usr/lib/systemd', kind);
    for (const name of readdirSync(join(checkout, 'systemd', kind))) {
      write(join(into, name), packagedUnit(readFileSync(join(checkout, 'systemd', kind, name), 'utf8')));
    }
    // The package has no compiled modules, so sd-notify is missing.
    const fallback = '10-notify-fallback.conf';
    install(join(checkout, 'systemd/drop-in', fallback), join(into, 'fleet-mesh.service.d', fallback));
  }
  for (const kind of ['sysusers.d', 'tmpfiles.d']) {
    install(join(checkout, 'systemd', kind, 'fleet-mesh.conf'), join(root, 'usr/lib', kind, 'fleet-mesh.conf'));
  }
  for (const name of readdirSync(join(checkout, 'systemd/drop-in')).filter((each) => !each.startsWith('10-'))) {
    const text = readFileSync(join(checkout, 'systemd/drop-in', name), 'utf8');
    write(join(root, 'usr/share/doc/fleet-mesh/examples', name), packagedUnit(text));
  }
}

/** Points editors to the schema in the package. */
function exampleFrom(text: string): string {
  return text.replace(/\$schema=(?=[\w-]+\.schema\.json)/, '$$schema=/usr/share/fleet-mesh/');
}

/** A synopsis of deb-control(5) has no article, no full stop and fewer than 80 characters: the first part is enough. */
function summaryOf(description: string): string {
  return description.split(',')[0]?.replace(/^Keeps/, 'keeps') ?? description;
}

/** Files without symbolic links, sorted by name. */
function filesBelow(root: string, directory = ''): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return filesBelow(root, path);
      return entry.isFile() ? [path] : [];
    });
}

/** Lets everybody read the directories, whatever the umask. dpkg-deb sets the times, from SOURCE_DATE_EPOCH. */
function openDirectories(path: string): void {
  chmodSync(path, 0o755);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openDirectories(join(path, entry.name));
  }
}
