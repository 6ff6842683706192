/** The program of scripts/release: builds a release twice, compares both, and tries the first. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { maintainerOf } from '../deb-package/control.ts';
import { sourceEpoch } from '../lib/source-epoch.ts';
import { type ArtefactOptions, makeArtefacts } from './artefacts.ts';
import { installTarball } from './install-tarball.ts';
import { filesOf, wrongFiles } from './tarball.ts';
import { releaseVersion } from './version.ts';

const USAGE = `usage: scripts/release [--out DIR] [--allow-changes]

Builds the Debian package, the npm package, a bill of materials (CycloneDX) and SHA256SUMS into an empty DIR (default: release).
Builds everything twice, in two directories, and fails unless all bytes are equal. Installs the npm package, and runs it.

  --out DIR         where the files go
  --allow-changes   also with changes that are not committed
SOURCE_DATE_EPOCH sets the file times (default: the newest commit); DEBFULLNAME and DEBEMAIL set the maintainer.
`;

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const say = (line: string) => process.stdout.write(`${line}\n`);

/** Copies what git has, and what it would take, so that a second build happens elsewhere. */
function copyCheckout(into: string): void {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const listed = execFileSync('git', args, { cwd: CHECKOUT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  for (const path of listed.split('\0').filter((each) => each !== '' && existsSync(join(CHECKOUT, each)))) {
    mkdirSync(dirname(join(into, path)), { recursive: true });
    cpSync(join(CHECKOUT, path), join(into, path));
  }
  symlinkSync(join(CHECKOUT, 'node_modules'), join(into, 'node_modules'));
}

function build(checkout: string): void {
  rmSync(join(checkout, 'dist'), { recursive: true, force: true });
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: checkout, stdio: 'inherit' });
}

/** Throws if the release is wrong, or does not run. */
function verify(out: string, files: readonly string[], version: string, temp: string): void {
  execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: out, stdio: 'inherit' });
  const tarball = join(out, files.find((name) => name.endsWith('.tgz')) ?? '');
  const wrong = wrongFiles(filesOf(tarball));
  if (wrong.length > 0) throw new Error(`the npm package is wrong:\n${wrong.join('\n')}`);
  const directory = mkdtempSync(join(temp, 'installed-'));
  const program = installTarball(CHECKOUT, tarball, directory);
  const said = execFileSync(program, ['--version'], { cwd: directory, encoding: 'utf8' }).trim();
  if (said !== version) throw new Error(`the installed program says version ${said}; expected ${version}`);
  const deb = join(out, files.find((name) => name.endsWith('.deb')) ?? '');
  const field = execFileSync('dpkg-deb', ['--field', deb, 'Version'], { encoding: 'utf8' }).trim();
  if (!field.startsWith(`${version}-`)) throw new Error(`the Debian package has version ${field}`);
}

function release(out: string, temp: string): void {
  const version = releaseVersion(CHECKOUT);
  const facts = { version, maintainer: maintainerOf(process.env), epoch: sourceEpoch(CHECKOUT) };
  const make = (checkout: string, into: string): string[] => {
    build(checkout);
    return makeArtefacts({ checkout, out: into, ...facts } satisfies ArtefactOptions);
  };
  say(`== Building ${version}`);
  const files = make(CHECKOUT, out);
  say('== Building a second time, elsewhere');
  const [copy, again] = [join(temp, 'copy'), join(temp, 'again')];
  copyCheckout(copy);
  make(copy, again);
  const differing = files.filter((name) => !readFileSync(join(out, name)).equals(readFileSync(join(again, name))));
  if (differing.length > 0) throw new Error(`not reproducible: ${differing.join(', ')} differ between the two builds`);
  say('== Installing and running the npm package');
  verify(out, files, version, temp);
  for (const name of files) say(join(out, name));
}

function main(): number {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'release' },
      'allow-changes': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { FLEET_MESH_CALLED_FROM = process.cwd() } = process.env;
  const out = resolve(FLEET_MESH_CALLED_FROM, values.out);
  if (existsSync(out) && readdirSync(out).length > 0) throw new Error(`${out} is not empty`);
  const changes = execFileSync('git', ['status', '--porcelain'], { cwd: CHECKOUT, encoding: 'utf8' });
  if (changes !== '' && !values['allow-changes']) {
    throw new Error(`there are changes that are not committed (--allow-changes builds them):\n${changes}`);
  }
  const temp = mkdtempSync(join(tmpdir(), 'fleet-mesh-release-'));
  try {
    release(out, temp);
    return 0;
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`scripts/release: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
